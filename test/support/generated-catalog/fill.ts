import { existsSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { gunzipSync } from "node:zlib";

/** Names for {@link fillScript} where the real ones are not at hand. */
const words = [
  ..."Dark Light Stardew Valley Space Kingdom Legend Dungeon Hero Night Shadow Dragon Puzzle Star World Last First".split(
    " ",
  ),
  ..."Simulator Quest Tower Defense Racing Garden Island Castle Escape Story War Galaxy Cat Magic Iron Wild of the and".split(
    " ",
  ),
];

/**
 * The script that fills an empty, migrated catalog with apps (fill.sql). Not through `pics_apply`, which would take minutes.
 *
 * @param names of real apps; by default some are made up.
 */
export async function fillScript(apps: number, names: readonly string[] = madeUpNames()): Promise<string> {
  const literal = JSON.stringify(names).replaceAll("'", "''");
  const sql = await readFile(new URL("./fill.sql", import.meta.url), "utf8");
  return `
    -- Without foreign keys, whose checks take longer than all the rest.
    set session_replication_role = replica;
    set fill.apps = ${apps};
    set fill.names = ${names.length};
    create temporary table names as
    select n::integer, name from jsonb_array_elements_text('${literal}') with ordinality as given(name, n);
    create unique index on names (n);
    analyze names;
    ${sql}
    drop table names;
    reset session_replication_role;`;
}

function madeUpNames(): string[] {
  const at = (n: number) => words[n % words.length] ?? "";
  return Array.from({ length: 2_000 }, (_, n) =>
    [at(n), at(7 * n + 3), at(Math.floor(n / 3))].slice(0, 1 + (n % 3)).join(" "),
  );
}

/** Names of real apps, from the dumps beside the project; null where they are missing. */
export function realNames(): string[] | null {
  const shared = new URL("../../../../shared/", import.meta.url);
  const lines = new URL("pics/common-2026.jsonl.gz", shared);
  if (!existsSync(lines)) return null;
  const unzipped = (file: string) => gunzipSync(readFileSync(new URL(file, shared))).toString("utf8");
  const common = unzipped("pics/common-2026.jsonl.gz").trim().split("\n");
  const games = common.map((line) => (JSON.parse(line) as { common: { name?: string } }).common.name);
  const listed = JSON.parse(unzipped("applist/software-2025-11-20.json.gz")) as { name?: string }[];
  const pages = ["0", "40", "79"].map((page) => JSON.parse(unzipped(`steamspy/all-page-${page}.json.gz`)) as object);
  const spied = pages.flatMap((page) => Object.values(page) as { name?: string }[]);
  const all = [...games, ...[...listed, ...spied].map(({ name }) => name)];
  return [...new Set(all.flatMap((name) => (name?.trim() ? [name.trim().replaceAll("\0", "")] : [])))];
}
