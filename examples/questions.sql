-- Ten questions to the catalog. Each runs as it is, with psql or in Supabase's SQL editor; replace the values.

-- 1. Which games with a tag did Valve verify for the Steam Deck? The newest first.
select a.appid, a.name, a.steam_release_date, a.pics_review_percentage
from steam_tags g
join app_steam_tags t using (tag_id)
join apps a using (appid)
join app_steam_deck d using (appid)
where g.name = 'Metroidvania' and d.category = 'verified' and a.type = 'game' and a.is_active
order by a.steam_release_date desc nulls last
limit 50;

-- 2. Whose reviews turned from mixed or worse to positive within a month? Verdicts go from 1, overwhelmingly negative, to 9.
select a.appid, a.name, e.old::int as verdict_before, a.pics_review_score as verdict_now, e.detected_at
from app_events e
join apps a using (appid)
where e.event = 'review_verdict' and e.detected_at > now() - interval '1 month'
  and e.old::int <= 5 and e.new::int >= 6 and a.pics_review_score >= 6 and a.type = 'game'
order by e.id desc;

-- 3. What changed on Counter-Strike 2 this week, field by field?
select c.detected_at, c.field, c.old, c.new
from app_changes c
where c.appid = 730 and c.detected_at > now() - interval '7 days'
order by c.id desc;

-- 4. Which DLC does a game have, and when was each released? One that is not stored has no name.
select d.dlc_appid, a.name, a.steam_release_date, a.release_state
from app_dlc d
left join apps a on a.appid = d.dlc_appid
where d.appid = 730
order by a.steam_release_date desc nulls last, d.dlc_appid;

-- 5. Which tags do free games have most often? Reads all apps: a question about a tenth of them.
select g.name, count(*) as games
from apps a
join app_steam_tags t using (appid)
join steam_tags g using (tag_id)
where a.is_free and a.type = 'game' and a.is_active
group by g.tag_id, g.name
order by games desc
limit 20;

-- 6. Which branches of an app got the most builds within a month?
select e.subject as branch, count(*) as builds, max(e.detected_at) as newest
from app_events e
where e.appid = 730 and e.event = 'build' and e.detected_at > now() - interval '1 month'
group by e.subject
order by builds desc;

-- 7. Which games left Early Access this month?
select a.appid, a.name, e.detected_at, a.pics_review_percentage
from app_events e
join apps a using (appid)
where e.event = 'left_early_access' and e.detected_at >= date_trunc('month', now()) and a.type = 'game'
order by e.id desc;

-- 8. Whose depot is this, and what does its public branch have now? Needs KEEP_DEPOTS.
select d.appid, a.name, d.name as depot, m.manifest_id, pg_size_pretty(m.size_bytes) as size
from app_depots d
join apps a using (appid)
left join app_depot_manifests m on m.appid = d.appid and m.depot_id = d.depot_id and m.branch = 'public'
where d.depot_id = 731 and d.from_appid is null;

-- 9. Which games are by a developer, and how are they called in Japanese?
select a.appid, a.name, a.name_localized ->> 'japanese' as japanese, a.steam_release_date
from developers s
join app_developers d on d.developer_id = s.id
join apps a using (appid)
where s.name = 'Valve' and a.type = 'game'
order by a.steam_release_date desc nulls last;

-- 10. Which apps vanished from Steam or its store and came back?
select back.appid, a.name, gone.event as was, gone.detected_at as since, back.detected_at as until
from app_events back
left join apps a using (appid)
cross join lateral (
  select e.event, e.detected_at
  from app_events e
  where e.appid = back.appid and e.id < back.id and e.event = case back.event when 'returned' then 'removed' else 'delisted' end
  order by e.id desc
  limit 1
) gone
where back.event in ('returned', 'relisted')
order by back.id desc
limit 50;
