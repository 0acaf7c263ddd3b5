import type { AppRecord } from "../../../src/catalog/app-record.ts";
import { extractApp } from "../../../src/catalog/extract.ts";
import { type Tree, write } from "./writer.ts";

/** The record of app 500 from a whole payload with these sections. */
export function whole(sections: { [name: string]: string | Tree }): AppRecord {
  return extractApp(500, write({ appinfo: { appid: "500", ...sections } }), false).record;
}

/** The same from a payload that Steam marked as public-only. */
export function partial(sections: { [name: string]: string | Tree }): AppRecord {
  return extractApp(500, write({ appinfo: { appid: "500", ...sections } }), true).record;
}

export const common = (inner: Tree) => whole({ common: inner });
export const extended = (inner: Tree) => whole({ extended: inner });
