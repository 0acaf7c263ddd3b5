import type { Assets, Branch, Depot, DepotManifest } from "../catalog/app-record.ts";
import { byKey, canonicalTime } from "./field-values.ts";
import { clean, formatTime } from "./layout.ts";

/** Fields of an app's content, formatted for a terminal: names, art, branches, depots. */

/** `japanese: ポータル2, french: …`. */
export function formatNames(names: Record<string, string>): string {
  return Object.entries(names)
    .map(([language, name]) => `${clean(language)}: ${clean(name)}`)
    .join(", ");
}

/** One line per kind of art: its English address, or else the first, and the number of other languages; one per icon. */
export function formatAssets(assets: Assets): string {
  return Object.entries(assets)
    .flatMap(([kind, addresses]) => {
      if (kind === "icons")
        return Object.entries(addresses).map(([name, address]) => `${clean(name)}: ${clean(address)}`);
      const languages = Object.keys(addresses);
      const address = addresses.english ?? addresses[languages[0] ?? ""];
      const others = languages.length > 1 ? ` (and ${languages.length - 1} more)` : "";
      return address === undefined ? [] : [`${clean(kind)}: ${clean(address)}${others}`];
    })
    .join("\n");
}

export function canonicalAssets(assets: Assets): Assets {
  return byKey(Object.fromEntries(Object.entries(assets).map(([kind, addresses]) => [kind, byKey(addresses)])));
}

/** By name; its times in one form. */
export function canonicalBranches(branches: readonly Branch[]): Branch[] {
  return branches
    .map(({ branch, build_id, built_at, updated_at, description, password_required }) => ({
      branch,
      build_id,
      built_at: built_at && canonicalTime(built_at),
      updated_at: updated_at && canonicalTime(updated_at),
      description,
      password_required,
    }))
    .toSorted((a, b) => (a.branch < b.branch ? -1 : 1));
}

/** By id, with manifests by branch. */
export function canonicalDepots(depots: readonly Depot[]): Depot[] {
  return depots
    .map(({ depot_id, name, os_list, os_arch, language, dlc_appid, from_appid, shared_install, manifests }) => ({
      ...{ depot_id, name, os_list, os_arch, language, dlc_appid, from_appid, shared_install },
      manifests: manifests.map(canonicalManifest).toSorted((a, b) => (a.branch < b.branch ? -1 : 1)),
    }))
    .toSorted((a, b) => a.depot_id - b.depot_id);
}

function canonicalManifest({ branch, manifest_id, size_bytes, download_bytes }: DepotManifest): DepotManifest {
  return { branch, manifest_id, size_bytes, download_bytes };
}

/** `public 19000000 (built 2026-01-02 03:04:05 UTC)`, one line per branch. */
export function formatBranches(branches: readonly Branch[]): string {
  return branches
    .map(({ branch, build_id, built_at, updated_at, description, password_required }) => {
      const time = built_at ? `built ${formatTime(built_at)}` : updated_at && `updated ${formatTime(updated_at)}`;
      const notes = [time, password_required && "password", description && clean(description)].filter(Boolean);
      const name = [clean(branch), build_id && clean(build_id)].filter(Boolean).join(" ");
      return notes.length === 0 ? name : `${name} (${notes.join(", ")})`;
    })
    .join("\n");
}

/** Depots to list: some apps have hundreds. */
const maxDepots = 20;

/** `621 Portal 2 content (windows, english, from 228980): public 7612884913650437182`, one line per depot. */
export function formatDepots(depots: readonly Depot[]): string {
  const lines = depots.slice(0, maxDepots).map(formatDepot);
  if (depots.length > maxDepots) lines.push(`… and ${depots.length - maxDepots} more`);
  return lines.join("\n");
}

function formatDepot(depot: Depot): string {
  const { depot_id, name, os_list, os_arch, language, dlc_appid, from_appid, manifests } = depot;
  const notes = [
    os_list?.replaceAll(",", ", "),
    os_arch && `${os_arch} bit`,
    language,
    dlc_appid && `DLC ${dlc_appid}`,
    from_appid && `from ${from_appid}`,
  ].filter(Boolean);
  const builds = manifests.map(({ branch, manifest_id }) => `${branch} ${manifest_id}`).join(", ");
  const title = [depot_id, name].filter(Boolean).join(" ");
  return clean(`${title}${notes.length > 0 ? ` (${notes.join(", ")})` : ""}${builds && `: ${builds}`}`);
}
