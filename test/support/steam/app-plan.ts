export type AppType = "game" | "dlc" | "demo" | "music" | "beta" | "tool" | "application" | "config" | "video";

/** Facts of a generated app that all versions of its text share. */
export interface AppPlan {
  seed: number;
  appid: number;
  type: AppType;
  name: string;
  parent: number | null;
  dlc: number[];
  demos: number[];
  developers: string[];
  publishers: string[];
  franchise: string | null;
  isOdd: boolean;
  /** Its tags may include the one that Steam has no name for. */
  hasNamelessTag: boolean;
}
