import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import SteamUser from "steam-user";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { forkSimulatedSteam } from "../support/steam/child.ts";
import { createCatalogue, fromPayloads } from "../support/steam/catalogue.ts";

describe.todo("x");
