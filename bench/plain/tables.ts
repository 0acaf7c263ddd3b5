import type { SupabaseClient } from "@supabase/supabase-js";
import type { Facts } from "./facts.ts";

/**
 * Writes a batch table by table with supabase-js, without SQL functions: rows are upserted, relations are deleted and upserted again,
 * and the ids of names are cached.
 */
export interface FetchedFacts extends Facts {
  changeNumber: number;
  missingToken: boolean;
  /** The text as Steam sent it, where it is kept. */
  kept?: KeptText | undefined;
}

export interface KeptText {
  sha1: string;
  size: number;
  /** Deflated. */
  data: Buffer;
}

export interface TablesOptions {
  /** Write the relations of a batch at the same time. */
  sideBySide: boolean;
  /** Keep texts and depots. */
  keep: boolean;
}

type Row = Record<string, unknown>;

export function createTables(supabase: SupabaseClient, { sideBySide, keep }: TablesOptions) {
  const knownIds = {
    steam_tags: new Set<number>(),
    steam_genres: new Set<number>(),
    steam_categories: new Set<number>(),
  };
  const knownNames = {
    developers: new Map<string, number>(),
    publishers: new Map<string, number>(),
    franchises: new Map<string, number>(),
  };

  async function upsert(table: string, rows: Row[], options: { onConflict?: string; ignoreDuplicates?: boolean } = {}) {
    if (rows.length > 0) await supabase.from(table).upsert(rows, options).throwOnError();
  }

  /** Inserts tags, genres and categories before the relations that reference them (foreign keys). */
  async function addIds(table: keyof typeof knownIds, column: string, ids: readonly number[]) {
    const known = knownIds[table];
    const fresh = [...new Set(ids)].filter((id) => !known.has(id));
    await upsert(
      table,
      fresh.map((id) => ({ [column]: id })),
      { ignoreDuplicates: true },
    );
    for (const id of fresh) known.add(id);
  }

  async function nameIds(table: keyof typeof knownNames, names: readonly string[]): Promise<Map<string, number>> {
    const known = knownNames[table];
    const fresh = [...new Set(names)].filter((name) => !known.has(name));
    if (fresh.length > 0) {
      const rows = fresh.map((name) => ({ name }));
      await upsert(table, rows, { onConflict: "name", ignoreDuplicates: true });
      // The length of a URL is limited.
      for (let start = 0; start < fresh.length; start += 50) {
        const page = fresh.slice(start, start + 50);
        const { data } = await supabase.from(table).select("id, name").in("name", page).throwOnError();
        for (const { id, name } of data as { id: number; name: string }[]) known.set(name, id);
      }
    }
    return known;
  }

  /** Replaces all rows of the apps, so that relations that an app no longer has are deleted. */
  async function replace(table: string, appids: readonly number[], rows: Row[]) {
    await supabase.from(table).delete().in("appid", appids).throwOnError();
    await upsert(table, rows);
  }

  async function named(table: keyof typeof knownNames, column: string, batch: readonly FetchedFacts[]): Promise<Row[]> {
    const ids = await nameIds(
      table,
      batch.flatMap((facts) => facts[table]),
    );
    return batch.flatMap((facts) => facts[table].map((name) => ({ appid: facts.app.appid, [column]: ids.get(name) })));
  }

  async function replaceKept(
    batch: readonly FetchedFacts[],
    appids: readonly number[],
    rows: (of: (facts: FetchedFacts) => Row[]) => Row[],
  ) {
    await replace(
      "app_depots",
      appids,
      rows(({ depots }) => depots),
    );
    await replace(
      "app_depot_manifests",
      appids,
      rows(({ manifests }) => manifests),
    );
    const texts = batch.flatMap(({ app: { appid }, changeNumber, missingToken, kept }) =>
      kept
        ? [
            {
              ...kept,
              appid,
              change_number: changeNumber,
              partial: missingToken,
              data: `\\x${kept.data.toString("hex")}`,
            },
          ]
        : [],
    );
    await upsert("app_info", texts);
  }

  return async function write(batch: readonly FetchedFacts[]): Promise<void> {
    const now = new Date().toISOString();
    const appids = batch.map(({ app }) => app.appid);
    const rows = (of: (facts: FetchedFacts) => Row[]) =>
      batch.flatMap((facts) => of(facts).map((row) => ({ appid: facts.app.appid, ...row })));

    await upsert(
      "apps",
      batch.map(({ app }) => ({ ...app, is_known: true, updated_at: now })),
    );

    const relations = [
      async () => {
        await addIds(
          "steam_tags",
          "tag_id",
          batch.flatMap(({ tags }) => tags),
        );
        const ranked = rows(({ tags }) => tags.map((tag_id, index) => ({ tag_id, rank: index + 1 })));
        await replace("app_steam_tags", appids, ranked);
      },
      async () => {
        await addIds(
          "steam_genres",
          "genre_id",
          batch.flatMap(({ genres }) => genres),
        );
        const genres = rows((facts) =>
          facts.genres.map((genre_id) => ({ genre_id, is_primary: genre_id === facts.primaryGenre })),
        );
        await replace("app_genres", appids, genres);
      },
      async () => {
        await addIds(
          "steam_categories",
          "category_id",
          batch.flatMap(({ categories }) => categories),
        );
        await replace(
          "app_categories",
          appids,
          rows(({ categories }) => categories.map((category_id) => ({ category_id }))),
        );
      },
      async () => replace("app_developers", appids, await named("developers", "developer_id", batch)),
      async () => replace("app_publishers", appids, await named("publishers", "publisher_id", batch)),
      async () => replace("app_franchises", appids, await named("franchises", "franchise_id", batch)),
      async () =>
        replace(
          "app_dlc",
          appids,
          rows(({ dlc }) => dlc.map((dlc_appid) => ({ dlc_appid }))),
        ),
      async () =>
        replace(
          "app_steam_deck",
          appids,
          rows(({ deck }) => (deck ? [deck] : [])),
        ),
      async () =>
        replace(
          "app_branches",
          appids,
          rows(({ branches }) => branches),
        ),
    ];
    if (keep) relations.push(() => replaceKept(batch, appids, rows));
    if (sideBySide) await Promise.all(relations.map((relation) => relation()));
    else for (const relation of relations) await relation();

    const status = batch.map(({ app, changeNumber, missingToken }) => ({
      appid: app.appid,
      pics_change_number: changeNumber,
      last_pics_sync: now,
      missing_token: missingToken,
    }));
    await upsert("sync_status", status);
  };
}
