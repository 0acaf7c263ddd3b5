import { createHash } from "node:crypto";

/**
 * The state of a simulated Steam: which apps exist, their PICS payloads, and their changes.
 *
 * Texts may be given as functions, so that a catalog of 100,000 apps need not hold them; the SHA-1 and the size of a
 * text are computed once per change number and cached. The text itself is kept by a catalog of {@link keptApps} at most,
 * or after {@link Catalog.pregenerate}.
 */
export interface Catalog {
  readonly apps: ReadonlyMap<number, CatalogApp>;
  readonly size: number;
  /** Steam's latest change number. */
  readonly currentChangeNumber: number;

  add(app: NewApp): CatalogApp;
  /**
   * A new change number for the app, and a new text: the given one, else the generator's next version, else the same.
   */
  change(appid: number, newText?: TextSource): number;
  /** Makes the app unknown to Steam; that is a change too. */
  remove(appid: number): number;
  /** Changes a package: the current change number grows, and no app is listed. */
  changePackage(packageid: number): number;
  /** Raises the current change number by `count` without a change that is listed. */
  skip(count: number): number;

  /** The latest change of every app and package after `since`, ascending by id. */
  changesAfter(since: number): { apps: AppChange[]; packages: { packageid: number; changeNumber: number }[] };
  /** The app's text: whole, or the public part sent without an access token. */
  body(app: CatalogApp, scope: Scope): Body;
  sha(app: CatalogApp, scope: Scope): { sha: Buffer; size: number };
  /**
   * Generates every text now and keeps it as bytes: about 4 KB an app, for benches that must not wait for the
   * generator.
   */
  pregenerate(): void;
}

export type Access =
  /** Sent in full to every client. */
  | "public"
  /** Sent in full with the access token, which Steam grants on request. */
  | "token"
  /** The token is denied: public sections only. */
  | "denied";
export type Scope = "whole" | "public";
/** The text KeyValues without the trailing NUL of the wire. Bytes allow invalid UTF-8. */
export type TextSource = string | Buffer | ((version: number) => string | Buffer);
/** The kinds of IStoreService/GetAppList; apps of other types are on no list. */
export type AppListKind = "games" | "dlc" | "software" | "videos" | "hardware";

export interface NewApp {
  appid: number;
  text: TextSource;
  /** The next change number when absent. */
  changeNumber?: number;
  /** For the app list only. */
  name?: string;
  /** `public` when absent. */
  access?: Access;
  /** null (the default): on no app list. */
  listKind?: AppListKind | null;
}

export interface CatalogApp {
  readonly appid: number;
  readonly name: string;
  readonly access: Access;
  listKind: AppListKind | null;
  changeNumber: number;
  /** Counts the changes since the start, from 0; the generator's texts depend on it. */
  version: number;
  text: TextSource;
  /** Unix seconds, for the app list. */
  lastModified: number;
  /** For the app list; 0 for none. A change is one of its price, too, once in four. */
  priceChangeNumber: number;
}

export interface AppChange {
  appid: number;
  changeNumber: number;
  needsToken: boolean;
}

export interface Body {
  /** Without the trailing NUL. */
  bytes: Buffer;
  /** As it travels: with the NUL. */
  wire: Buffer;
  sha: Buffer;
}

/** A catalog with at most this many apps keeps every text once generated, which takes some 10 KB an app. */
const keptApps = 5_000;

export function createCatalog(firstChangeNumber = 30_000_000): Catalog {
  const apps = new Map<number, CatalogApp>();
  const removed = new Map<number, AppChange>();
  const packages = new Map<number, number>();
  const shas = new Map<string, { changeNumber: number; sha: Buffer; size: number }>();
  const kept = new Map<string, { changeNumber: number; body: Body }>();
  let current = firstChangeNumber;

  const known = (appid: number) => {
    const app = apps.get(appid);
    if (!app) throw new Error(`The simulated catalog has no app ${appid}.`);
    return app;
  };

  const generated = (app: CatalogApp, scope: Scope): Body => {
    const source = typeof app.text === "function" ? app.text(app.version) : app.text;
    const text = scope === "public" ? publicPart(app.appid, source) : source;
    const wire = typeof text === "string" ? Buffer.from(`${text}\0`) : Buffer.concat([text, Buffer.of(0)]);
    const bytes = wire.subarray(0, -1);
    const key = `${scope}${app.appid}`;
    let entry = shas.get(key);
    if (entry?.changeNumber !== app.changeNumber) {
      entry = { changeNumber: app.changeNumber, sha: createHash("sha1").update(bytes).digest(), size: bytes.length };
      shas.set(key, entry);
    }
    return { bytes, wire, sha: entry.sha };
  };

  const keep = (app: CatalogApp, scope: Scope): Body => {
    const body = generated(app, scope);
    kept.set(`${scope}${app.appid}`, { changeNumber: app.changeNumber, body });
    return body;
  };

  return {
    apps,
    get size() {
      return apps.size;
    },
    get currentChangeNumber() {
      return current;
    },
    add({ appid, text, changeNumber = current + 1, name = `App ${appid}`, access = "public", listKind = null }) {
      if (apps.has(appid)) throw new Error(`The simulated catalog already has app ${appid}.`);
      const lastModified = 1_700_000_000 + (changeNumber % 50_000_000);
      const priceChangeNumber = changeNumber % 3 === 0 ? 0 : changeNumber;
      const app: CatalogApp = {
        ...{ appid, name, access, listKind, changeNumber, version: 0, text },
        ...{ lastModified, priceChangeNumber },
      };
      apps.set(appid, app);
      removed.delete(appid);
      current = Math.max(current, changeNumber);
      return app;
    },
    change(appid, newText) {
      const app = known(appid);
      current += 1;
      app.changeNumber = current;
      app.version += 1;
      app.lastModified += 60;
      if (current % 4 === 0) app.priceChangeNumber = current;
      if (newText !== undefined) app.text = newText;
      return current;
    },
    remove(appid) {
      const app = known(appid);
      current += 1;
      apps.delete(appid);
      removed.set(appid, { appid, changeNumber: current, needsToken: app.access !== "public" });
      return current;
    },
    changePackage(packageid) {
      current += 1;
      packages.set(packageid, current);
      return current;
    },
    skip(count) {
      current += count;
      return current;
    },
    changesAfter(since) {
      const changed: AppChange[] = [];
      for (const { appid, changeNumber, access } of apps.values())
        if (changeNumber > since) changed.push({ appid, changeNumber, needsToken: access !== "public" });
      for (const change of removed.values()) if (change.changeNumber > since) changed.push(change);
      const changedPackages = [...packages].filter(([, number]) => number > since);
      return {
        apps: changed.sort((a, b) => a.appid - b.appid),
        packages: changedPackages.map(([packageid, changeNumber]) => ({ packageid, changeNumber })),
      };
    },
    body(app, scope) {
      const entry = kept.get(`${scope}${app.appid}`);
      if (entry?.changeNumber === app.changeNumber) return entry.body;
      return apps.size <= keptApps ? keep(app, scope) : generated(app, scope);
    },
    sha(app, scope) {
      const entry = shas.get(`${scope}${app.appid}`);
      if (entry?.changeNumber === app.changeNumber) return entry;
      const { bytes, sha } = generated(app, scope);
      return { sha, size: bytes.length };
    },
    pregenerate() {
      for (const app of apps.values()) {
        const scope: Scope = app.access === "denied" ? "public" : "whole";
        keep(app, scope);
      }
    },
  };
}

/** A catalog of given texts, such as real payloads. Texts with `public_only` become apps whose token is denied. */
export function fromPayloads(payloads: Iterable<{ appid: number; changeNumber: number; text: string }>): Catalog {
  const list = [...payloads];
  const catalog = createCatalog(list.reduce((most, { changeNumber }) => Math.max(most, changeNumber), 0));
  for (const { appid, changeNumber, text } of list) {
    const name = /\n\t\t"name"\t\t"([^"]*)"/.exec(text)?.[1];
    const type = /\n\t\t"type"\t\t"([^"]*)"/.exec(text)?.[1]?.toLowerCase();
    catalog.add({
      appid,
      changeNumber,
      text,
      name: name ?? `App ${appid}`,
      access: text.includes('\n\t"public_only"\t\t"1"') ? "denied" : "public",
      listKind: listKindOf(type),
    });
  }
  return catalog;
}

/** The list of IStoreService/GetAppList that carries apps of a PICS type; null for demos, music, tools and the like. */
export function listKindOf(type: string | undefined): AppListKind | null {
  if (type === "game") return "games";
  if (type === "dlc") return "dlc";
  if (type === "application") return "software";
  if (type === "video" || type === "series") return "videos";
  return type === "hardware" ? "hardware" : null;
}

/**
 * The part of a text sent without a token: `appid` and `public_only`, and for two of three apps the `common` section
 * too (both occur in real replies).
 */
function publicPart(appid: number, source: string | Buffer): string {
  const text = source.toString();
  if (text.includes('\n\t"public_only"\t\t"1"')) return text;
  const start = text.indexOf('\n\t"common"\n\t{\n');
  const end = start < 0 ? -1 : text.indexOf("\n\t}\n", start);
  const common = end < 0 || Math.floor(appid / 10) % 3 === 0 ? "" : text.slice(start + 1, end + 4);
  return `"appinfo"\n{\n\t"appid"\t\t"${appid}"\n\t"public_only"\t\t"1"\n${common}}\n`;
}
