import { z } from "zod";
import * as examples from "./view-examples.ts";
import { appReference, count, id, time } from "./views.ts";

/** Views of app info as Steam sent it, and of what an app consists of: branches, depots, manifests. */

/** KeyValues as JSON: every value is a text or a block. */
const info = z
  .record(z.string(), z.unknown())
  .meta({ description: "Steam's text as JSON: every value is a text or an object, and keys are as Steam writes them" });

export const appInfoView = z
  .object({
    appid: id,
    change_number: count.meta({ description: "of this text" }),
    sha1: z.string().meta({ description: "of the text, in hex" }),
    size: count.meta({ description: "bytes of the text" }),
    partial: z.boolean().meta({ description: "Steam withheld sections" }),
    fetched_at: time,
    info,
  })
  .meta({ id: "AppInfo", examples: [examples.appInfo] });
export type AppInfoView = z.infer<typeof appInfoView>;

/** As the public steamcmd API replies. */
export const steamcmdInfo = z
  .object({
    data: z.record(
      z.string(),
      z.looseObject({
        _change_number: count,
        _missing_token: z.boolean(),
        _sha: z.string().meta({ description: "SHA-1 of the text, in hex" }),
        _size: count.meta({ description: "bytes of the text" }),
      }),
    ),
    status: z.literal("success"),
  })
  .meta({ id: "SteamcmdInfo", examples: [examples.steamcmdInfo] });

export const branchView = z
  .object({
    branch: z.string(),
    build_id: z.string().nullable(),
    built_at: time.nullable(),
    updated_at: time.nullable().meta({ description: "when the branch last changed, mere edits included" }),
    description: z.string().nullable(),
    password_required: z.boolean(),
  })
  .meta({ id: "Branch", examples: [examples.branch] });
export type BranchView = z.infer<typeof branchView>;

const depotFacts = {
  os_list: z.array(z.string()).nullable().meta({ description: "platforms that it is for; null: all" }),
  os_arch: z.string().nullable(),
  language: z.string().nullable(),
  dlc_appid: id.nullable().meta({ description: "the DLC that it belongs to" }),
  from_appid: id.nullable().meta({ description: "the app that it is shared from; null: this app owns it" }),
  shared_install: z.boolean().meta({ description: "installed once for all apps that share it" }),
};

const depotManifest = z
  .object({
    branch: z.string(),
    manifest_id: z.string().meta({ description: "unsigned 64-bit number" }),
    size_bytes: count.nullable(),
    download_bytes: count.nullable().meta({ description: "compressed" }),
  })
  .meta({ id: "DepotManifest", examples: [examples.depotManifest] });

/** A depot of an app. */
export const depotView = z
  .object({
    depot_id: id,
    name: z.string().nullable(),
    ...depotFacts,
    manifests: z.array(depotManifest).meta({ description: "one for each branch; encrypted ones are not listed" }),
  })
  .meta({ id: "Depot", examples: [examples.depot] });
export type DepotView = z.infer<typeof depotView>;

/** An app that has a depot, as its owner or from another app. */
export const depotAppView = appReference
  .extend({ type: z.string().nullable(), depot_name: z.string().nullable(), ...depotFacts })
  .meta({ id: "DepotApp", description: "an app that has the depot", examples: [examples.depotApp] });
export type DepotAppView = z.infer<typeof depotAppView>;
