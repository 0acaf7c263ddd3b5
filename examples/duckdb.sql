-- Statistics on an export, without a database:
--
--     npm start -- export --format parquet --out ./export
--     cd ./export && duckdb < …/steam-pics-sync/examples/duckdb.sql

-- 1. Games by year of release, and how many percent of those that Valve tested on the Steam Deck are verified.
select year(a.steam_release_date) as year, count(*) as games,
  round(100 * avg((d.category = 'verified')::int), 1) as percent_of_those_tested
from 'apps.parquet' a
left join 'app_steam_deck.parquet' d using (appid)
where a.type = 'game' and a.release_state = 'released' and a.steam_release_date is not null
group by year
order by year;

-- 2. Languages: how many games have each, and how many of these speak it. A JSON object by language.
select l.key as language, count(*) as games, count(*) filter (l.value ->> 'full_audio' = 'true') as with_audio
from 'apps.parquet' a, json_each(a.languages) l
where a.type = 'game'
group by language
order by games desc
limit 20;

-- 3. Games with generative AI that runs live, by their developers. A list of texts.
select appid, name, ai_content, steam_release_date
from 'apps.parquet'
where type = 'game' and list_contains(ai_content, 'live')
order by steam_release_date desc nulls last
limit 20;

-- 4. Tags of the games of the last two years that were rarer before.
with shares as (
  select t.tag_id, a.steam_release_date > now() - interval 2 years as is_recent, count(*) as games
  from 'apps.parquet' a
  join 'app_steam_tags.parquet' t using (appid)
  where a.type = 'game' and a.steam_release_date is not null
  group by all
)
select g.name, sum(games) filter (is_recent) as recent, sum(games) filter (not is_recent) as before
from shares
join 'steam_tags.parquet' g using (tag_id)
group by g.name
having recent > 0
order by recent / greatest(before, 1) desc, recent desc
limit 20;

-- 5. Builds by day.
select date_trunc('day', detected_at) as day, count(*) as builds, count(distinct appid) as apps
from 'app_events.parquet'
where event = 'build'
group by day
order by day desc
limit 30;
