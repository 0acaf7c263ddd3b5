import { blockAt, type Pairs } from "./pairs.ts";
import type { ExpectedBranch, ExpectedDepot } from "./rows.ts";
import { child, id, integer, maxId, platformsOf, saysOne, sortedByName, text, time } from "./values.ts";

/** The rows of `app_branches`, sorted by name. */
export function readBranches(app: Pairs): ExpectedBranch[] {
  const branches = (blockAt(app, "depots", "branches") ?? []).flatMap(([name, branch]) => {
    const clean = text(name);
    if (typeof branch === "string" || clean === null) return [];
    return [
      {
        branch: clean,
        build_id: text(child(branch, "buildid")),
        built_at: time(child(branch, "timebuildupdated")),
        updated_at: time(child(branch, "timeupdated")),
        description: text(child(branch, "description")),
        password_required: saysOne(child(branch, "pwdrequired")),
      },
    ];
  });
  return sortedByName(branches, ({ branch }) => branch);
}

/** The rows of `app_depots` with their manifests, ascending by id. */
export function readDepots(appid: number, app: Pairs): ExpectedDepot[] {
  const depots = (blockAt(app, "depots") ?? []).flatMap(([key, depot]) => {
    const depotId = /^[0-9]+$/.test(key) ? id(key) : null;
    if (depotId === null || typeof depot === "string") return [];
    const config = (name: string) => child(child(depot, "config") ?? "", name);
    const owner = id(child(depot, "depotfromapp"));
    return [
      {
        depot_id: depotId,
        name: text(child(depot, "name")),
        os_list: platformsOf(config("oslist")),
        os_arch: text(config("osarch")),
        language: text(config("language")),
        dlc_appid: id(child(depot, "dlcappid")),
        from_appid: owner === appid ? null : owner,
        shared_install: integer(child(depot, "sharedinstall"), 1, maxId) !== null,
        manifests: readManifests(depot),
      },
    ];
  });
  return depots.sort((left, right) => left.depot_id - right.depot_id);
}

function readManifests(depot: Pairs): ExpectedDepot["manifests"] {
  const manifests = (blockAt(depot, "manifests") ?? []).flatMap(([name, manifest]) => {
    const branch = text(name);
    const gid = text(typeof manifest === "string" ? manifest : child(manifest, "gid"));
    if (branch === null || gid === null || !/^[0-9]{1,20}$/.test(gid)) return [];
    const size = (key: string) => integer(child(manifest, key), 0, 2 ** 53 - 1);
    return [{ branch, manifest_id: gid, size_bytes: size("size"), download_bytes: size("download") }];
  });
  return sortedByName(manifests, ({ branch }) => branch);
}
