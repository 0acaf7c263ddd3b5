import { isDeepStrictEqual } from "node:util";
import type { Random } from "../../test/support/steam/random.ts";

/** The same question to both servers, as paths. */
export interface Question {
  service: string;
  postgrest: string;
}

export interface Kind {
  name: string;
  draw: (random: Random) => Question;
  /** While another client commits ten times a second, as a bulk sync does: what the service keeps in memory is valid until a commit. */
  withCommits?: boolean;
}

/** Tags of the generated catalog that are drawn, the most used ones. */
const tags = 50;

/** Kinds of questions to a generated catalog of `apps`, with appids 10, 20, …. */
export function questionsOf(apps: number): Kind[] {
  return [
    { name: "one app, any", draw: (random) => appQuestion(10 * random.int(1, apps)) },
    { name: "one app, Zipf", draw: (random) => appQuestion(10 * zipf(random, apps)) },
    { name: "list by tag, by reviews, 50 a page", draw: (random) => listQuestion(zipf(random, tags)) },
    {
      name: "… with 10 commits/s",
      draw: (random) => listQuestion(zipf(random, tags)),
      withCommits: true,
    },
    {
      name: "… each asked once",
      draw(random) {
        const { service, postgrest } = listQuestion(zipf(random, tags));
        return { service: service.replace("-reviews", (text) => respelled(text, random)), postgrest };
      },
    },
  ];
}

/** A number from 1 to `most`, each drawn in proportion to its reciprocal (approximately). */
function zipf(random: Random, most: number): number {
  return Math.min(most, Math.floor((most + 1) ** random.next()));
}

const tagList = "app_steam_tags(rank,steam_tags(tag_id,name))";
const makers = "app_developers(developers(name)),app_publishers(publishers(name))";

/** Names of DLC and of the parent, and what `sync_status` says, are left out: PostgREST has no relation or right to read them. */
function appQuestion(appid: number): Question {
  const embedded = [
    tagList,
    "app_genres(steam_genres(genre_id,name)),app_categories(steam_categories(category_id,name))",
    `${makers},app_franchises(franchises(name)),app_dlc(dlc_appid),app_steam_deck(*)`,
  ];
  return { service: `/v1/apps/${appid}`, postgrest: `/apps?appid=eq.${appid}&select=*,${embedded}` };
}

const listColumns =
  "appid,name,type,is_active,is_free,release_state,steam_release_date,parent_appid,platforms,pics_review_score,pics_review_percentage,last_content_update,updated_at";
const deckColumns =
  "app_steam_deck(category,steamos_category,machine_category,frame_category,test_timestamp,tested_build_id)";

/** The filter is an embedding of its own, so that the list of tags is complete. */
function listQuestion(tag: number): Question {
  const select = `${listColumns},${deckColumns},${tagList},${makers},filter:app_steam_tags!inner()`;
  return {
    service: `/v1/apps?tag=${tag}&sort=-reviews&limit=50`,
    postgrest: `/apps?select=${select}&filter.tag_id=eq.${tag}&order=pics_review_percentage.desc.nullslast,appid.desc&limit=50`,
  };
}

/** The same text with random letters percent-encoded: another URL, which the service does not keep. */
function respelled(text: string, random: Random): string {
  const encoded = (letter: string) => `%${letter.charCodeAt(0).toString(16)}`;
  return [...text].map((letter) => (random.chance(0.5) ? encoded(letter) : letter)).join("");
}

type Row = Record<string, unknown>;

/** @throws {Error} when the two servers do not answer the same facts. */
export async function checkSameFacts(service: string, postgrest: string, question: Question): Promise<void> {
  const [ours, theirs] = await Promise.all([
    answerOf(`${service}${question.service}`),
    answerOf(`${postgrest}${question.postgrest}`),
  ]);
  const [own, other] = [(ours.data as Row[] | undefined) ?? [ours], theirs as unknown as Row[]];
  const [left, right] = [own.map(factsOfService), other.map(factsOfPostgrest)];
  if (left.length === 0 || !isDeepStrictEqual(left, right))
    throw new Error(`different facts for ${question.service}: ${JSON.stringify({ left: left[0], right: right[0] })}`);
}

async function answerOf(url: string): Promise<Row> {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as Row;
}

const plain = [
  ..."appid name type is_active is_free release_state pics_review_score pics_review_percentage".split(" "),
  ..."has_workshop homepage_url languages name_localized ai_content vr_support current_build_id".split(" "),
];
const times = ["steam_release_date", "last_content_update", "updated_at"];

function columnsOf(row: Row): Row {
  const moment = (value: unknown) => (value == null ? null : Date.parse(String(value)));
  return {
    ...Object.fromEntries(plain.map((column) => [column, row[column] ?? null])),
    ...Object.fromEntries(times.map((column) => [column, moment(row[column])])),
  };
}

function factsOfService(row: Row): Row {
  return {
    ...columnsOf(row),
    parent: (row.parent as Row | null)?.appid ?? null,
    platforms: row.platforms,
    tags: row.tags,
    genres: row.genres,
    categories: row.categories,
    developers: row.developers,
    publishers: row.publishers,
    franchises: row.franchises,
    dlc: (row.dlc as Row[] | undefined)?.map(({ appid }) => appid),
    deck: (row.steam_deck as Row | null)?.category,
  };
}

function factsOfPostgrest(row: Row): Row {
  const embedded = (relation: string, of: string) =>
    (row[relation] as Row[] | undefined)?.map((each) => each[of] as Row);
  const labels = (relation: string, of: string, id: string) =>
    embedded(relation, of)
      ?.map((label) => ({ id: label[id] as number, name: label.name }))
      .sort((a, b) => a.id - b.id);
  const names = (relation: string, of: string) =>
    embedded(relation, of)
      ?.map(({ name }) => String(name))
      .sort();
  const tags = (row.app_steam_tags as Row[]).toSorted((a, b) => Number(a.rank) - Number(b.rank));
  return {
    ...columnsOf(row),
    parent: row.parent_appid,
    platforms: String(row.platforms ?? "")
      .split(",")
      .filter(Boolean),
    tags: tags.map(({ steam_tags: tag }) => ({ id: (tag as Row).tag_id, name: (tag as Row).name })),
    genres: labels("app_genres", "steam_genres", "genre_id"),
    categories: labels("app_categories", "steam_categories", "category_id"),
    developers: names("app_developers", "developers"),
    publishers: names("app_publishers", "publishers"),
    franchises: names("app_franchises", "franchises"),
    dlc: (row.app_dlc as Row[] | undefined)?.map(({ dlc_appid }) => Number(dlc_appid)).sort((a, b) => a - b),
    deck: (row.app_steam_deck as Row | null)?.category,
  };
}
