-- The library import's own tables. Those of the library itself ("ImportedGame", "Game", "LibraryItem" and the rest) may belong to another
-- application, whose migration tool stops at tables and types that exist already: library_create_tables makes them, and only where the
-- operator says that this service owns them (LIBRARY_TABLES). (docs/decisions/0020)

create temporary table tables_made as
select name
from unnest(array['library_choices', 'library_written', 'igdb_answers', 'web_tokens']) as name
where to_regclass(format('public.%I', name)) is null;

create table if not exists public.library_choices (
  user_id text not null,
  appid integer not null,
  imported_id text not null,
  status text not null,
  game_id text,
  item_id text,
  primary key (user_id, appid)
);

create table if not exists public.library_written (
  relation text not null,
  row_id text not null,
  written jsonb not null,
  primary key (relation, row_id)
);

create table if not exists public.igdb_answers (
  uid text primary key,
  game jsonb,
  fetched_at timestamptz not null default now()
);

create table if not exists public.web_tokens (
  name text primary key,
  token text not null,
  expires_at timestamptz not null
);

---------------------------------------------------------------------------------------------------------- dictionary
-- Meaning of every table and column: "Meaning. Values: …. Unit: …. Source: …. Example: …", of which docs/data.md is made (`npm run docs`).

comment on table public.library_choices is 'What the last import chose for an app of a user, to tell it from a person''s decision.';
comment on column public.library_choices.user_id is 'The user.';
comment on column public.library_choices.appid is 'The app.';
comment on column public.library_choices.imported_id is 'Its row in "ImportedGame".';
comment on column public.library_choices.status is 'Status that the import gave to that row. Values: MATCHED, UNMATCHED, IGNORED.';
comment on column public.library_choices.game_id is 'The "Game" that it chose; null where it chose none.';
comment on column public.library_choices.item_id is 'The "LibraryItem" that it made or found; null where there is none.';

comment on table public.library_written is
  'Values that imports wrote into rows of "Game", "Genre", "Platform" and "LibraryItem": while a row still has them, an import may change them.';
comment on column public.library_written.relation is 'Table of the row. Values: Game, Genre, Platform, LibraryItem.';
comment on column public.library_written.row_id is 'Primary key of the row, as text.';
comment on column public.library_written.written is 'Values that an import wrote, by column. Example: {"steamAppId": 620}';

comment on table public.igdb_answers is 'Cache of IGDB''s answers for an hour.';
comment on column public.igdb_answers.uid is 'What was asked: a Steam appid, or `name:` and a name. Example: name:Portal 2';
comment on column public.igdb_answers.game is 'List of the games found; null where there are none.';
comment on column public.igdb_answers.fetched_at is 'When IGDB answered.';

comment on table public.web_tokens is 'Access tokens of web APIs, stored because an application may only have a few at a time.';
comment on column public.web_tokens.name is 'The API. Values: igdb.';
comment on column public.web_tokens.token is 'The token, a secret.';
comment on column public.web_tokens.expires_at is 'When it expires.';

-------------------------------------------------------------------------------------------------------------- security

do $$
declare
  made record;
  role_name name;
begin
  for made in select name from tables_made loop
    execute format('alter table public.%I enable row level security', made.name);
    for role_name in select rolname from pg_roles where rolname in ('anon', 'authenticated') loop
      execute format('revoke all on public.%I from %I', made.name, role_name);
    end loop;
    if exists (select from pg_roles where rolname = 'service_role') then
      execute format('grant all on public.%I to service_role', made.name);
    end if;
  end loop;
end
$$;

drop table tables_made;
