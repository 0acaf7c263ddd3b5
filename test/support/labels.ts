type Query = (query: string, params?: unknown[]) => Promise<Record<string, unknown>[]>;

const verdicts = (column: string, kind: number) =>
  `select appid, ${kind}, array_position('{unknown,unsupported,playable,verified}', ${column}) from app_steam_deck`;

/** The first five apps whose labels are not those of their relations. */
export async function wrongLabels(sql: Query): Promise<Record<string, unknown>[]> {
  return await sql(`
    with relations(appid, kind, id) as (
      select appid, 0, tag_id from app_steam_tags union all select appid, 1, genre_id from app_genres
      union all select appid, 2, category_id from app_categories
      union all ${verdicts("category", 3)} union all ${verdicts("machine_category", 4)} union all ${verdicts("frame_category", 5)}
    ), read as (
      select appid, array_agg((kind << 28) | id order by kind, id) as labels from relations where id < 1 << 28 group by appid
    )
    select appid, a.labels, read.labels as expected
    from apps a left join read using (appid)
    where coalesce(a.labels, '{}') <> coalesce(read.labels, '{}') order by appid limit 5`);
}
