/**
 * A model of what is stored after any sequence of answers, written from the project's contract ("How a payload becomes a
 * row", "Silence is no proof", "State of an app's work"). It knows nothing of leases, attempts and due times: the test
 * says which apps were claimed, and what Steam answers about them.
 */
import { type AppInfo, type Common, type Depots, type Extended, tagOf } from "./app-info.ts";

/** One answer about an app. */
export interface Said {
  number: number;
  info: AppInfo;
  /** `missing_token` or `only_public` on the wire, or `public_only` in the text. */
  isPartial: boolean;
  /** On the wire. */
  missingToken: boolean;
  onlyPublic: boolean;
}

/** What Steam answers a fetch: the app (in one reply more than once), that it does not know it, or nothing. */
export type Answer = { withoutToken: Said[]; withToken: Said[] } | "unknown" | "silent";

/** The stored state of an app that the model predicts; null where there is no row of `apps`. */
export interface Predicted {
  fields: Fields | null;
  isKnown: boolean | null;
  number: number | null;
  pending: number | null;
  missingToken: boolean;
}

export interface Fields {
  name: string | null;
  type: string | null;
  is_free: boolean | null;
  parent_appid: number | null;
  homepage_url: string | null;
  current_build_id: string | null;
  last_content_update: number | null;
  tags: number[];
  genres: number[];
  categories: number[];
  deck: string | null;
  franchises: string[];
  developers: string[];
  publishers: string[];
  dlc: number[];
}

export type Verdict = "stored" | "skipped" | "stale" | "unknown" | "unconfirmed" | "withheld" | "failed" | "lease_lost";

interface ModelApp extends Predicted {
  access: "public" | "token" | "denied";
  needsToken: boolean;
  token: "none" | "granted" | "denied";
  /** Seconds: the first "unknown" since Steam last named the app, and the last one. */
  unknownSince: number | null;
  saidUnknownAt: number | null;
}

/** What the service hears about a claimed app. */
export interface Heard {
  appid: number;
  /** The change number under which it was claimed. */
  claimed: number;
  answer: Said | "unknown" | "silent";
}

export const noVerdicts: Record<Verdict, number> = {
  stored: 0,
  stale: 0,
  unknown: 0,
  unconfirmed: 0,
  skipped: 0,
  withheld: 0,
  failed: 0,
  lease_lost: 0,
};

const nothing: Omit<ModelApp, "access"> = {
  fields: null,
  isKnown: null,
  number: null,
  pending: null,
  missingToken: false,
  needsToken: false,
  token: "none",
  unknownSince: null,
  saidUnknownAt: null,
};

export function createModel(
  accessOf: ReadonlyMap<number, ModelApp["access"]>,
  { confirmSeconds, maxShrink }: { confirmSeconds: number; maxShrink: number },
) {
  const apps = new Map([...accessOf].map(([appid, access]): [number, ModelApp] => [appid, { ...nothing, access }]));
  const app = (appid: number) => apps.get(appid) as ModelApp;
  let now = 0;

  /** Steam says unknown of at least 20 apps and of more than MAX_SHRINK of the known ones within an hour. */
  function isMass(): boolean {
    const said = [...apps.values()].filter(
      ({ saidUnknownAt }) => saidUnknownAt !== null && saidUnknownAt > now - 3_600,
    );
    const vanished = said.filter(({ isKnown }) => !isKnown).length;
    const known = [...apps.values()].filter(({ isKnown }) => isKnown).length;
    return said.length >= 20 && said.length > maxShrink * (known + vanished);
  }

  /** "Unknown" that counts as answered, and leaves the apps as they are. Each of them was named by Steam before. */
  function unconfirmedOf(unknown: number[]): Set<number> {
    for (const appid of unknown) {
      app(appid).unknownSince ??= now;
      if (app(appid).isKnown) app(appid).saidUnknownAt = now;
    }
    if (unknown.length > 0 && isMass()) return new Set(unknown);
    return new Set(unknown.filter((appid) => now - (app(appid).unknownSince ?? now) < confirmSeconds));
  }

  function forgetOrHide(appid: number, acceptUnknown: boolean): void {
    const gone = app(appid);
    if (gone.fields === null) {
      apps.set(appid, { ...nothing, access: gone.access, token: gone.token });
      return;
    }
    Object.assign(gone, { isKnown: false, pending: null, unknownSince: null });
    if (acceptUnknown) gone.saidUnknownAt = null;
  }

  function storeOrDoubt(appid: number, said: Said, acceptUnknown: boolean): Verdict {
    const stored = app(appid);
    stored.unknownSince = null;
    if (stored.number !== null && said.number < stored.number) return "stale";
    if (said.isPartial && saysNothing(said.info) && stored.fields?.name != null) {
      stored.missingToken = true;
      return "withheld";
    }
    if (isImplausible(stored.fields, said) && !acceptUnknown) return "failed";
    stored.fields = mirrored(appid, stored.fields, said);
    Object.assign(stored, { isKnown: true, number: said.number, missingToken: said.isPartial });
    return "stored";
  }

  /** A complete list of DLC removes what it does not name, unless the DLC's own record names the app. */
  function removeDlc(appid: number, { info, isPartial }: Said): void {
    const isWhole = !isPartial && info.common !== undefined;
    const listed = info.extended?.dlc ?? [];
    const isComplete = (isWhole || (info.extended && info.depots)) && listed.length < 64;
    const { fields } = app(appid);
    if (!isComplete || fields === null) return;
    const named = [...listed, ...(info.depots?.dlc ?? [])];
    fields.dlc = fields.dlc.filter((dlc) => named.includes(dlc) || apps.get(dlc)?.fields?.parent_appid === appid);
  }

  return {
    predicted: (appid: number): Predicted => {
      const { fields, isKnown, number, pending, missingToken } = app(appid);
      return { fields, isKnown, number, pending, missingToken };
    },
    elapse(seconds: number): void {
      now += seconds;
    },
    /** Metadata: change numbers, and ids that are unknown to Steam. What it leaves out changes nothing. */
    mark(named: { appid: number; changeNumber: number }[], unknown: number[], isFull: boolean): void {
      for (const { appid, changeNumber } of named) {
        const marked = app(appid);
        const differs = marked.number === null || marked.number < changeNumber || !marked.isKnown;
        if (isFull || differs) marked.pending = Math.max(marked.pending ?? 0, changeNumber);
        marked.unknownSince = null;
      }
      for (const appid of unknown) if (app(appid).isKnown) app(appid).pending ??= app(appid).number;
    },
    poll(changes: { appid: number; changeNumber: number; needsToken: boolean }[]): void {
      for (const { appid, changeNumber, needsToken } of changes) {
        const announced = app(appid);
        if (changeNumber <= (announced.number ?? 0) || changeNumber <= (announced.pending ?? 0)) continue;
        Object.assign(announced, { pending: changeNumber, needsToken });
      }
    },
    /** The fetch of claimed apps; access tokens are kept whatever becomes of the answers. */
    hear(
      claimed: { appid: number; change_number: number }[],
      answers: ReadonlyMap<number, Answer>,
      silentTokens: readonly number[],
    ): Heard[] {
      return claimed.map(({ appid, change_number }) => ({
        appid,
        claimed: change_number,
        answer: hear(app(appid), answers.get(appid) ?? "silent", silentTokens.includes(appid)),
      }));
    },
    /** The write of what was heard, under a valid lease. Returns how many apps got each verdict. */
    write(heard: Heard[], { acceptUnknown }: { acceptUnknown: boolean }): Record<Verdict, number> {
      const counts = { ...noVerdicts };
      const unknown = heard.filter(({ answer }) => answer === "unknown").map(({ appid }) => appid);
      const unconfirmed = acceptUnknown ? new Set<number>() : unconfirmedOf(unknown);
      const stored: [number, Said][] = [];
      for (const { appid, claimed, answer } of heard) {
        if (answer === "silent") counts.failed += 1;
        else if (answer === "unknown") {
          counts[unconfirmed.has(appid) ? "unconfirmed" : "unknown"] += 1;
          // Otherwise something newer was announced meanwhile, and it is asked for again.
          if (!unconfirmed.has(appid) && app(appid).pending === claimed) forgetOrHide(appid, acceptUnknown);
        } else {
          const verdict = storeOrDoubt(appid, answer, acceptUnknown);
          counts[verdict] += 1;
          if (verdict === "stored") stored.push([appid, answer]);
          const isDone = verdict === "stored" || verdict === "stale";
          if (isDone && answer.number >= (app(appid).pending ?? 0)) app(appid).pending = null;
        }
      }
      for (const [appid, said] of stored) removeDlc(appid, said);
      return counts;
    },
  };
}

/** What the service hears in the end: with the access token, if it needs and gets one. */
function hear(app: ModelApp, answer: Answer, isTokenSilent: boolean): Said | "unknown" | "silent" {
  let asked = false;
  const askForToken = () => {
    asked = true;
    if (!isTokenSilent) app.token = app.access === "denied" ? "denied" : "granted";
  };
  const said = () =>
    answer === "unknown" || answer === "silent"
      ? answer
      : best(app.token === "granted" ? answer.withToken : answer.withoutToken);

  if ((app.needsToken || app.missingToken) && app.token === "none") askForToken();
  const first = said();
  if (first === "unknown" || first === "silent" || !(first.missingToken || first.onlyPublic)) return first;
  if (app.token !== "denied" && !asked) askForToken();
  // The rest is withheld for want of a token that Steam says nothing about.
  return asked && isTokenSilent ? "silent" : said();
}

/** Of several answers in one reply the newest counts, and among equals one that withholds nothing. */
function best(answers: Said[]): Said {
  const [first, ...others] = answers as [Said, ...Said[]];
  const withholds = ({ missingToken, onlyPublic }: Said) => missingToken || onlyPublic;
  return others.reduce((found, next) => {
    if (next.number !== found.number) return next.number > found.number ? next : found;
    return withholds(next) && !withholds(found) ? found : next;
  }, first);
}

const saysNothing = ({ common, extended, depots }: AppInfo) => !common && !extended && !depots;

/** An answer that leaves out what is stored, or says nothing at all, and is not flagged as partial. */
function isImplausible(stored: Fields | null, { info, isPartial }: Said): boolean {
  if (isPartial) return false;
  return (
    saysNothing(info) || (!info.common && stored?.name != null) || (!info.depots && stored?.current_build_id != null)
  );
}

const empty: Fields = {
  name: null,
  type: null,
  is_free: null,
  parent_appid: null,
  homepage_url: null,
  current_build_id: null,
  last_content_update: null,
  tags: [],
  genres: [],
  categories: [],
  deck: null,
  franchises: [],
  developers: [],
  publishers: [],
  dlc: [],
};

/** A section that is there replaces what it determines; a field with a fallback needs the sections up to its value. */
function mirrored(appid: number, stored: Fields | null, { info, isPartial }: Said): Fields {
  const { common, depots } = info;
  const extended = info.extended ?? (!isPartial && common ? noExtended : undefined);
  const fields: Fields = { ...(stored ?? empty), ...ofCommon(common), ...ofExtended(extended), ...ofDepots(depots) };

  if (common?.type === "demo" || common?.isFreeToDownload || extended?.isFreeApp) fields.is_free = true;
  else if (common && extended) fields.is_free = false;
  if (common) {
    const parent = common.parent === appid ? null : common.parent;
    const dlcFor = extended?.dlcFor === appid ? null : extended?.dlcFor;
    if (parent !== null) fields.parent_appid = parent;
    else if (extended) fields.parent_appid = dlcFor ?? null;
    if (common.developers.length > 0) fields.developers = common.developers.toSorted();
    else if (extended) fields.developers = extended.developer === null ? [] : [extended.developer];
    if (extended) fields.publishers = extended === noExtended ? [] : [`Publisher ${extended.stamp}`];
  }
  const named = [...fields.dlc, ...(extended?.dlc ?? []), ...(depots?.dlc ?? [])].filter((dlc) => dlc !== appid);
  fields.dlc = [...new Set(named)].sort((a, b) => a - b);
  return fields;
}

/** A whole app info may have nothing to say there. */
const noExtended: Extended = { stamp: 0, isFreeApp: false, dlcFor: null, developer: null, dlc: [] };

function ofCommon(common: Common | undefined): Partial<Fields> {
  if (!common) return {};
  const tag = tagOf(common);
  return {
    name: `App ${common.stamp}`,
    type: common.type,
    tags: [tag, 19],
    genres: [tag],
    categories: [tag],
    franchises: [`Franchise ${tag}`],
    deck: common.hasDeck ? `verified ${common.stamp}` : null,
  };
}

function ofExtended(extended: Extended | undefined): Partial<Fields> {
  if (!extended) return {};
  return { homepage_url: extended === noExtended ? null : `https://example.com/${extended.stamp}` };
}

function ofDepots(depots: Depots | undefined): Partial<Fields> {
  if (!depots) return {};
  return { current_build_id: `${depots.stamp}`, last_content_update: 1_700_000_000 + depots.stamp };
}
