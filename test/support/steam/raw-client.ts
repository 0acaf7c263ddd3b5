import { once } from "node:events";
import SteamUser from "steam-user";
import type { SimulatedSteam } from "./simulated-steam.ts";
import { eMsg, type messages } from "./wire.ts";

/**
 * The real steam-user against a simulation, with plain promises around its raw messages: for tests of the simulation and
 * for baselines in benches. It has none of the safety of the product's session.
 */
export interface RawClient {
  user: SteamUser & RawSteamUser;
  /** Every message of a product info reply. */
  productInfo(apps: readonly (number | { appid: number; access_token: string })[]): Promise<ProductInfo[]>;
  metadata(appids: readonly number[]): Promise<ProductInfo[]>;
  changes(since: number): Promise<Changes>;
  /** Resolves with the EResult of the next `error` (autoRelogin is off, so every log-off is one). */
  failed(): Promise<number | undefined>;
  logOff(): Promise<void>;
}

/** The parts of steam-user that its types leave out. */
export interface RawSteamUser {
  _send(emsg: number, body: object, callback?: (body: unknown) => void): void;
  _handleNetMessage(frame: Buffer): void;
}

export type ProductInfo = Parameters<typeof messages.productInfoResponse.encode>[0];
export type Changes = Parameters<typeof messages.changesSinceResponse.encode>[0];

/** Not logged on yet; the caller's process must trust the simulation (`trustHere`). */
export function createRawClient({ proxyUrl }: Pick<SimulatedSteam, "proxyUrl">): RawClient {
  const user = new SteamUser({
    httpProxy: proxyUrl,
    protocol: SteamUser.EConnectionProtocol.WebSocket,
    dataDirectory: null,
    autoRelogin: false,
  }) as RawClient["user"];

  const ask = (body: { apps: object[]; meta_data_only?: boolean }) =>
    new Promise<ProductInfo[]>((resolve) => {
      const parts: ProductInfo[] = [];
      user._send(eMsg.productInfoRequest, { ...body, packages: [] }, (part) => {
        parts.push(part as ProductInfo);
        if (!(part as ProductInfo).response_pending) resolve(parts);
      });
    });

  return {
    user,
    productInfo: (apps) => ask({ apps: apps.map((app) => (typeof app === "number" ? { appid: app } : app)) }),
    metadata: (appids) => ask({ apps: appids.map((appid) => ({ appid })), meta_data_only: true }),
    changes: (since) =>
      new Promise((resolve) => {
        const body = { since_change_number: since, send_app_info_changes: true, send_package_info_changes: true };
        user._send(eMsg.changesSinceRequest, body, (reply) => resolve(reply as Changes));
      }),
    async failed() {
      const [error] = (await once(user, "error")) as [Error & { eresult?: number }];
      return error.eresult;
    },
    async logOff() {
      if (!user.steamID) return;
      const gone = once(user, "disconnected");
      user.logOff();
      await gone;
    },
  };
}

/** Resolves once logged on; rejects when Steam refuses. */
export async function logOnRaw(steam: Pick<SimulatedSteam, "proxyUrl">): Promise<RawClient> {
  const client = createRawClient(steam);
  client.user.logOn({ anonymous: true });
  await once(client.user, "loggedOn");
  return client;
}
