import { PGlite } from "@electric-sql/pglite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isFull, onlyFull } from "../../support/full.ts";
import { compareWithDatabase, type Sql } from "../../support/independent-reading/compare.ts";
import { sampleRows } from "../../support/independent-reading/sample.ts";

describe.skipIf(!isFull)(`compareWithDatabase${onlyFull}`, () => {
  const database = new PGlite();
  const sql: Sql = async (query, params) => (await database.query<Record<string, unknown>>(query, params)).rows;
  const expected = new Map([[620, sampleRows]]);

  beforeAll(async () => {
    await database.exec(`
      create table apps (
        appid int, name text, type text, is_known bool, is_active bool, is_free bool, release_state text,
        steam_release_date timestamptz, original_release_date timestamptz, store_asset_mtime timestamptz, platforms text,
        controller_support text, pics_review_score smallint, pics_review_percentage smallint, metacritic_score smallint,
        metacritic_url text, parent_appid int, homepage_url text, app_state text, last_content_update timestamptz,
        current_build_id text, content_descriptors jsonb, languages jsonb, has_workshop bool, primary_genre_id int, name_localized jsonb,
        os_arch text, vr_support text, pics_review_score_without_bombs smallint, pics_review_percentage_without_bombs smallint,
        must_own_appid int, ai_content text[], restricted_countries text[], family_sharing_excluded bool, playtest_type smallint,
        install_dir text, assets jsonb);
      create table app_steam_tags (appid int, tag_id int, rank smallint);
      create table app_genres (appid int, genre_id int, is_primary bool);
      create table app_categories (appid int, category_id int);
      create table franchises (id int, name text);
      create table developers (id int, name text);
      create table publishers (id int, name text);
      create table app_franchises (appid int, franchise_id int);
      create table app_developers (appid int, developer_id int);
      create table app_publishers (appid int, publisher_id int);
      create table app_dlc (appid int, dlc_appid int);
      create table app_steam_deck (appid int, category text, steamos_category text, machine_category text,
        frame_category text, test_timestamp timestamptz,
        tested_build_id text, tests jsonb, steamos_tests jsonb, machine_tests jsonb, frame_tests jsonb, configuration jsonb);
      create table app_branches (appid int, branch text, build_id text, built_at timestamptz, updated_at timestamptz,
        description text, password_required bool);
      create table app_depots (appid int, depot_id int, name text, os_list text, os_arch text, language text, dlc_appid int,
        from_appid int, shared_install bool);
      create table app_depot_manifests (appid int, depot_id int, branch text, manifest_id text, size_bytes bigint,
        download_bytes bigint);
      create table sync_status (appid int, pics_change_number bigint);

      insert into app_steam_tags values (620, 3, 3), (620, 21, 1), (620, 19, 2);
      insert into app_genres values (620, 25, false), (620, 4, true);
      insert into app_categories values (620, 9), (620, 2);
      insert into franchises values (1, 'portal'), (2, 'Portal'), (3, 'unused');
      insert into developers values (1, 'Valve');
      insert into publishers values (1, 'Valve\\Co');
      insert into app_franchises values (620, 1), (620, 2);
      insert into app_developers values (620, 1);
      insert into app_publishers values (620, 1);
      insert into app_dlc values (620, 323180), (620, 7), (620, 9);
      insert into sync_status values (620, 77);
      set time zone 'Asia/Tokyo';`);
    await insert("apps", sampleRows.apps);
    await insert("app_steam_deck", { appid: 620, ...sampleRows.steam_deck });
    for (const branch of sampleRows.branches) await insert("app_branches", { appid: 620, ...branch });
    for (const { manifests, ...depot } of sampleRows.depots) {
      await insert("app_depots", { appid: 620, ...depot });
      for (const manifest of manifests) {
        await insert("app_depot_manifests", { appid: 620, depot_id: depot.depot_id, ...manifest });
      }
    }
  });
  afterAll(() => database.close());

  async function insert(table: string, row: object): Promise<void> {
    await sql(`insert into ${table} select * from jsonb_populate_record(null::${table}, $1)`, [JSON.stringify(row)]);
  }

  async function differencesAfter(change: string): Promise<string[]> {
    await database.exec("begin");
    try {
      await database.exec(change);
      const { differences } = await compareWithDatabase(sql, expected);
      return differences.map(({ appid, field }) => `${appid} ${field}`);
    } finally {
      await database.exec("rollback");
    }
  }

  it("finds no difference in correct rows", async () => {
    const result = await compareWithDatabase(sql, expected);
    expect(result).toMatchObject({ apps: 1, fields: 48, differences: [] });
    expect(result.valued).toMatchObject({ "apps.name": 1, tags: 1, steam_deck: 1, pics_change_number: 1 });
    expect(result.valued).not.toHaveProperty("apps.original_release_date");
  });

  it.each(Object.keys(sampleRows.apps).filter((column) => column !== "appid"))(
    "finds a difference in %s",
    async (column) => {
      const absent = sampleRows.apps[column] === null;
      const other = !absent ? "null" : /percentage|playtest/.test(column) ? "0" : "now()";
      expect(await differencesAfter(`update apps set ${column} = ${other}`)).toEqual([`620 apps.${column}`]);
    },
  );

  it.each([
    ["update app_steam_tags set rank = 4 where rank = 3", "620 tags"],
    ["update app_genres set is_primary = false", "620 genres"],
    ["delete from app_categories where category_id = 9", "620 categories"],
    ["delete from app_franchises where franchise_id = 2", "620 franchises"],
    ["delete from app_developers", "620 developers"],
    ["update publishers set name = 'Valve'", "620 publishers"],
    ["insert into app_dlc values (620, 8)", "620 dlc"],
    ["update app_steam_deck set test_timestamp = now()", "620 steam_deck"],
    ["update app_steam_deck set machine_category = null", "620 steam_deck"],
    ["update app_steam_deck set frame_category = 'verified'", "620 steam_deck"],
    ["update app_steam_deck set steamos_tests = null", "620 steam_deck"],
    ["update app_steam_deck set configuration = null", "620 steam_deck"],
    ["delete from app_steam_deck", "620 steam_deck"],
    ["update app_branches set build_id = '124' where branch = 'public'", "620 branches"],
    ["delete from app_branches where branch = 'beta'", "620 branches"],
    ["update app_depots set shared_install = false", "620 depots"],
    ["update app_depot_manifests set size_bytes = size_bytes - 1", "620 depots"],
    ["delete from app_depot_manifests", "620 depots"],
    ["insert into app_depots (appid, depot_id, shared_install) values (620, 623, false)", "620 depots"],
    ["update sync_status set pics_change_number = 76", "620 pics_change_number"],
    ["update apps set appid = 621", "621 apps,620 apps"],
    ["delete from apps", "620 apps"],
  ])("finds the difference after %s", async (change, found) => {
    expect((await differencesAfter(change)).join()).toBe(found);
  });

  it("throws when nothing is expected", async () => {
    await expect(compareWithDatabase(sql, new Map())).rejects.toThrow("nothing is expected");
  });
});
