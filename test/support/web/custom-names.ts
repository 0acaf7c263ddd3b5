import { createWebFaults, faultName, spoil, type WebFaults } from "./faults.ts";
import { createWebLog, type WebLog } from "./request-log.ts";
import { htmlAnswer, jsonAnswer, type SimulatedWebApi } from "./web-api.ts";

export interface SimulatedCustomNames extends SimulatedWebApi {
  /** SteamID64 by custom name; Steam ignores the case. */
  names: Map<string, string>;
  log: WebLog;
  faults: WebFaults;
}

/** Simulation of ISteamUser/ResolveVanityURL/v1: `success` 1 with a `steamid`, 42 for no match, 401 for a wrong key. */
export function createSimulatedCustomNames({ apiKey }: { apiKey: string }): SimulatedCustomNames {
  const log = createWebLog();
  const faults = createWebFaults();
  const names = new Map<string, string>();
  return {
    host: "api.steampowered.com",
    path: "/ISteamUser/ResolveVanityURL/v1",
    names,
    log,
    faults,
    answer({ url, headers }) {
      const call = { kind: "custom_name" };
      const fault = faults.strike(call);
      log.add(call, fault && faultName(fault));
      if (headers["x-webapi-key"] !== apiKey) return htmlAnswer(401, "Unauthorized");
      const steamid = names.get((url.searchParams.get("vanityurl") ?? "").toLowerCase());
      const response = steamid === undefined ? { success: 42, message: "No match" } : { steamid, success: 1 };
      return spoil(fault, jsonAnswer({ response }));
    },
  };
}
