-- Fills an empty catalog with :apps: distributions as in Steam's app info of 2026 (common-2026.jsonl of the real payloads): types, tags by
-- Zipf's law, companies with a long tail, release dates and reviews that many lack. Seeded by the row number, so every run is the same.
-- Needs the table `names(n integer primary key, name text)`, from 1 without gaps, and the settings fill.apps and fill.names.

-- Indexes are built once the rows are there, which takes a fraction of the time.
create temporary table later as
select i.indexrelid::regclass::text as name, pg_get_indexdef(i.indexrelid) as definition
from pg_index i join pg_class c on c.oid = i.indrelid
where c.relnamespace = 'public'::regnamespace and not i.indisunique and c.relname like any (array['app%', 'developers', 'publishers', 'franchises']);
do $$
declare
  index record;
begin
  for index in select * from later loop
    execute 'drop index ' || index.name;
  end loop;
end
$$;

create function pg_temp.u(n integer, seed integer) returns double precision
language sql immutable as $$ select (hashint8extended(n, seed) & 2147483647) / 2147483648.0 $$;

create temporary table settings as
select current_setting('fill.apps')::integer as apps, current_setting('fill.names')::integer as names;
analyze settings;

-- Types by their share, and what an app of the type has: shares of those with a release date and with reviews, tags drawn.
create temporary table kinds (type text, up_to double precision, dated double precision, reviewed double precision, tags integer);
insert into kinds values
  ('game', 0.42, 0.96, 0.65, 20), ('dlc', 0.66, 0.9, 0.1, 5), ('demo', 0.75, 0.7, 0, 12), ('beta', 0.80, 0, 0, 8), ('music', 0.845, 0.95, 0.03, 1),
  ('config', 0.885, 0, 0, 0), ('tool', 0.915, 0.02, 0.01, 0), ('application', 0.93, 0.9, 0.5, 5), ('video', 0.945, 0.8, 0.2, 1),
  ('episode', 0.965, 0.7, 0, 0), ('series', 0.968, 0.9, 0.2, 0), ('advertising', 0.975, 0.5, 0, 0), ('hardware', 0.976, 0.5, 0, 0), ('mod', 0.98, 0.4, 0, 2),
  (null, 1, 0, 0, 0);

create temporary table drawn as
select n, 10 * n as appid, k.*
from settings, generate_series(1, apps) as n
cross join lateral (select * from kinds where up_to > pg_temp.u(n, 1) order by up_to limit 1) k;
create unique index on drawn (n);
analyze drawn;
-- Games by number, for parents.
create temporary table games as select row_number() over (order by pg_temp.u(n, 2)) as place, n, appid from drawn where type = 'game';
create unique index on games (place);
analyze games;

insert into public.steam_tags (tag_id, name) select i, 'Tag ' || i from generate_series(1, 430) as i;
-- 430 tags: the most used has 60 % of the games, the last a few dozen of 100,000.
create temporary table chances as
select i as id, (sum(1 / pow(i + 4, 0.9) * exp(-i / 90.0)) over (order by i) / sum(1 / pow(i + 4, 0.9) * exp(-i / 90.0)) over ())::numeric(12, 10) as up_to
from generate_series(1, 430) as i;
create temporary table tag_of as
select id as tag_id, generate_series(ceil(20000 * lag(up_to, 1, 0.0) over (order by id))::integer, ceil(20000 * up_to)::integer - 1) as p
from chances;
create unique index on tag_of (p) include (tag_id);
analyze tag_of;
insert into public.app_steam_tags (appid, tag_id, rank)
select d.appid, t.tag_id, min(i)
from drawn d cross join lateral generate_series(1, d.tags) as i
join tag_of t on t.p = floor(20000 * pg_temp.u(d.n, 300 + i))::integer
group by 1, 2 order by 1, 2;

insert into public.app_genres (appid, genre_id, is_primary)
select d.appid, g.id, g.id = 23
from drawn d, (values (23, 0.72), (4, 0.45), (1, 0.41), (25, 0.39), (28, 0.22), (2, 0.21), (3, 0.18), (37, 0.11), (70, 0.095), (18, 0.042), (9, 0.036), (29, 0.02), (57, 0.002)) as g(id, share)
where d.type in ('game', 'dlc', 'demo', 'beta') and pg_temp.u(d.n, 400 + g.id) < g.share order by 1, 2;

insert into public.app_categories (appid, category_id)
select d.appid, c.id
from drawn d, (values (2, 0.96), (62, 0.87), (22, 0.5), (23, 0.28), (28, 0.22), (1, 0.18), (49, 0.11), (18, 0.11), (9, 0.1), (29, 0.09), (36, 0.08), (25, 0.08), (44, 0.07), (24, 0.065), (38, 0.06),
                   (37, 0.046), (52, 0.045), (15, 0.044), (54, 0.02), (39, 0.036), (27, 0.027), (30, 0.023), (35, 0.023), (43, 0.02), (8, 0.002), (61, 0.01)) as c(id, share)
where d.type in ('game', 'dlc', 'demo', 'beta') and pg_temp.u(d.n, 500 + c.id) < c.share order by 1, 2;

insert into public.developers (name)
select distinct on (name) name from (select 'Studio ' || substring(name from '^\S+') || ' ' || n % 40 as name from names, settings where n < apps / 3) made order by name;
insert into public.publishers (name) select name from public.developers where id % 2 = 0;
insert into public.franchises (name) select name || ' Series' from public.developers where id % 10 = 0;
insert into public.app_developers (appid, developer_id)
select distinct d.appid, 1 + floor((select max(id) from public.developers) * pow(pg_temp.u(d.n, 20 + i), 2.5))::integer
from drawn d cross join generate_series(0, 1) as i where d.type is not null and d.type <> 'config' and pg_temp.u(d.n, 22 + i) < case i when 0 then 1 else 0.1 end order by 1, 2;
insert into public.app_publishers (appid, publisher_id)
select distinct d.appid, 1 + floor((select max(id) from public.publishers) * pow(pg_temp.u(d.n, 24 + i), 2.5))::integer
from drawn d cross join generate_series(0, 1) as i where d.type is not null and d.type <> 'config' and pg_temp.u(d.n, 26 + i) < case i when 0 then 0.95 else 0.05 end order by 1, 2;
insert into public.app_franchises (appid, franchise_id)
select d.appid, 1 + floor((select max(id) from public.franchises) * pow(pg_temp.u(d.n, 28), 2))::integer
from drawn d where d.type is not null and pg_temp.u(d.n, 29) < 0.12 order by 1;

insert into public.app_steam_deck (appid, category, steamos_category, machine_category, frame_category, test_timestamp)
select d.appid, (array['unknown', 'unsupported', 'playable', 'playable', 'verified'])[1 + floor(5 * pg_temp.u(d.n, 31))::integer], 'compatible',
  (array['unknown', 'playable', 'verified'])[1 + floor(3 * pg_temp.u(d.n, 32))::integer],
  case when pg_temp.u(d.n, 33) < 0.2 then (array['unsupported', 'playable', 'verified'])[1 + floor(3 * pg_temp.u(d.n, 34))::integer] end, now()
from drawn d where d.type in ('game', 'demo', 'application') and pg_temp.u(d.n, 35) < 0.27 order by 1;

insert into public.sync_status (appid, last_pics_sync, pics_change_number)
select appid, now(), 1000 + n from drawn order by n;
insert into public.app_changes (appid, change_number, field, new, detected_at)
select 10 * (1 + floor(apps * pg_temp.u(i, 36))::integer), i, 'last_content_update', '1', now() - (apps / 3.0 - i) / apps * interval '90 days'
from settings cross join generate_series(1, apps / 3) as i order by i;

create temporary table labelled as
select appid, array_agg(id + kind * 268435456 order by id + kind * 268435456) as labels
from (
  select appid, 0, tag_id from public.app_steam_tags
  union all select appid, 1, genre_id from public.app_genres
  union all select appid, 2, category_id from public.app_categories
  union all
  select d.appid, verdict.kind, array_position(array['unknown', 'unsupported', 'playable', 'verified'], verdict.value)
  from public.app_steam_deck d
  cross join lateral (values (3, d.category), (4, d.machine_category), (5, d.frame_category)) as verdict(kind, value)
  where verdict.value is not null
) as found(appid, kind, id)
group by appid;
analyze labelled;

insert into public.apps (
  appid, name, type, is_active, is_listed, is_free, release_state, steam_release_date, original_release_date, store_asset_mtime, platforms, controller_support,
  pics_review_score, pics_review_percentage, parent_appid, homepage_url, last_content_update, current_build_id, languages, has_workshop,
  primary_genre_id, name_localized, ai_content, vr_support, assets, created_at, updated_at, labels
)
select
  d.appid,
  case
    when d.type is null then null
    when parent.n is not null then own.name || case d.type when 'dlc' then ' - ' || other.name when 'music' then ' Soundtrack' when 'beta' then ' Playtest' else ' Demo' end
    when d.n <= names then own.name
    -- The first half of one name and the last of another.
    else left(own.name, 4 + length(substring(substr(own.name, 5) from '^\S*'))) || ' ' || substring(other.name from '\S+$')
  end,
  d.type,
  pg_temp.u(d.n, 3) > 0.06, case when d.type = 'game' then pg_temp.u(d.n, 3) > 0.06 end,
  d.type in ('demo', 'beta') or pg_temp.u(d.n, 4) < 0.12,
  case when pg_temp.u(d.n, 5) < d.dated then 'released' else 'prerelease' end,
  released.at, case when pg_temp.u(d.n, 6) < 0.1 then released.at - interval '90 days' end, released.at,
  case when d.type not in ('config', 'hardware') and d.type is not null then
    case when pg_temp.u(d.n, 7) < 0.09 then 'windows,macos,linux' when pg_temp.u(d.n, 7) < 0.18 then 'windows,macos' when pg_temp.u(d.n, 7) < 0.23 then 'windows,linux' else 'windows' end end,
  case when pg_temp.u(d.n, 8) < 0.22 then 'full' when pg_temp.u(d.n, 8) < 0.33 then 'partial' end,
  case when reviewed.share is not null then greatest(1, least(9, reviewed.share / 10)) end, reviewed.share,
  parent.appid,
  case when pg_temp.u(d.n, 9) < 0.5 then 'https://example.com/' || d.appid end,
  now() - pg_temp.u(d.n, 10) * interval '2000 days', (1000000 + d.n)::text,
  '{"english": {"supported": true, "full_audio": true, "subtitles": true}, "schinese": {"supported": true, "full_audio": false, "subtitles": true}}',
  false, case when d.type = 'game' then 23 end,
  case when pg_temp.u(d.n, 11) < 0.05 then jsonb_build_object(
    'schinese', (select string_agg(chr(19968 + (3000 * pow(pg_temp.u(d.n, 100 + i), 3))::integer), '') from generate_series(1, 2 + d.n % 5) as i),
    'japanese', (select string_agg(chr(12449 + (80 * pg_temp.u(d.n, 200 + i))::integer), '') from generate_series(1, 3 + d.n % 6) as i)
  ) end,
  case when d.n > apps * 0.8 and pg_temp.u(d.n, 12) < 0.2 then array['pre_generated'] || case when pg_temp.u(d.n, 12) < 0.02 then array['live'] else '{}' end end,
  case when pg_temp.u(d.n, 13) < 0.02 then 'supported' when pg_temp.u(d.n, 13) < 0.04 then 'only' end,
  jsonb_build_object('header', jsonb_build_object('english', 'header.jpg'), 'capsule', jsonb_build_object('english', md5(d.n::text) || '/capsule.jpg')),
  now() - interval '100 days', now() - pow(pg_temp.u(d.n, 14), 1.5) * interval '700 days', coalesce(labelled.labels, '{}')
from settings cross join drawn d
join names own on own.n = 1 + d.n % names
join names other on other.n = 1 + floor(names * pg_temp.u(d.n, 15))::integer
left join games parent on d.type in ('dlc', 'demo', 'beta', 'music')
  and parent.place = 1 + floor((select count(*) from games) * pow(pg_temp.u(d.n, 16), 3))::integer
cross join lateral (
  -- More apps each year, within 90 days of the order of their ids.
  select case when pg_temp.u(d.n, 5) < d.dated then
    '2004-01-01 17:00Z'::timestamptz + sqrt(d.n::double precision / apps) * interval '8100 days' + floor(pg_temp.u(d.n, 17) * 90) * interval '1 day' end as at
) released
cross join lateral (
  select case when pg_temp.u(d.n, 18) < d.reviewed then 100 - floor(100 * pow(pg_temp.u(d.n, 19), 1.8))::integer end as share
) reviewed
left join labelled on labelled.appid = d.appid
order by d.n;

do $$
declare
  index record;
begin
  for index in select * from later loop
    execute index.definition;
  end loop;
end
$$;
drop table labelled, drawn, games, kinds, chances, tag_of, settings, later;
