import type { TestDatabase } from "../databases.ts";
import type { Predicted } from "./model.ts";

const names = (one: string, many: string) =>
  `array(select n.name from app_${many} r join ${many} n on n.id = r.${one}_id where r.appid = a.appid order by n.name)`;

const query = `
  select wanted.appid, s.pics_change_number as number, s.pics_pending_change as pending,
    coalesce(s.missing_token, false) as missing_token, a.is_known, a.is_active,
    case when a.appid is not null then jsonb_build_object(
      'name', a.name, 'type', a.type, 'is_free', a.is_free, 'parent_appid', a.parent_appid, 'homepage_url', a.homepage_url,
      'current_build_id', a.current_build_id, 'last_content_update', extract(epoch from a.last_content_update)::bigint,
      'tags', array(select tag_id from app_steam_tags r where r.appid = a.appid order by rank),
      'genres', array(select genre_id from app_genres r where r.appid = a.appid order by 1),
      'categories', array(select category_id from app_categories r where r.appid = a.appid order by 1),
      'dlc', array(select dlc_appid from app_dlc r where r.appid = a.appid order by 1),
      'deck', (select category || ' ' || tested_build_id from app_steam_deck d where d.appid = a.appid),
      'developers', ${names("developer", "developers")},
      'publishers', ${names("publisher", "publishers")},
      'franchises', ${names("franchise", "franchises")}
    ) end as fields
  from unnest($1::integer[]) as wanted(appid)
  left join sync_status s on s.appid = wanted.appid
  left join apps a on a.appid = wanted.appid`;

interface Row {
  appid: number;
  number: number | null;
  pending: number | null;
  missing_token: boolean;
  is_known: boolean | null;
  is_active: boolean | null;
  fields: Predicted["fields"];
}

/** What the database holds about some apps, in the terms of the model. */
export async function readStored(sql: TestDatabase["sql"], appids: number[]): Promise<Map<number, Predicted>> {
  const rows = await sql<Row>(query, [appids]);
  return new Map(
    rows.map(({ appid, number, pending, missing_token, is_known, is_active, fields }) => {
      if (is_active !== is_known) throw new Error(`app ${appid}: is_known ${is_known}, is_active ${is_active}`);
      return [appid, { fields, isKnown: is_known, number, pending, missingToken: missing_token }];
    }),
  );
}
