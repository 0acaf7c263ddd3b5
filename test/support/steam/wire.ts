import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import protobuf from "protobufjs";

/**
 * The binary messages of a Steam connection manager, in steam-user's own protobuf definitions: uint32le (EMsg with the
 * top bit set), uint32le header length, `CMsgProtoBufHeader`, body.
 */
export const eMsg = {
  multi: 1,
  serviceMethodResponse: 147,
  serviceMethodCallFromClient: 151,
  clientHeartBeat: 703,
  clientLogOff: 706,
  clientLogOnResponse: 751,
  clientLoggedOff: 757,
  clientLogon: 5514,
  changesSinceRequest: 8901,
  changesSinceResponse: 8902,
  productInfoRequest: 8903,
  productInfoResponse: 8904,
  accessTokenRequest: 8905,
  accessTokenResponse: 8906,
} as const;

export interface Header {
  steamid?: string;
  client_sessionid?: number;
  jobid_source?: string;
  jobid_target?: string;
  target_job_name?: string;
  eresult?: number;
}

const protoMask = 0x80000000;
const require = createRequire(import.meta.url);
const folderOf = (name: string) => dirname(require.resolve(`${name}/package.json`));
const definitions = join(folderOf("steam-user"), "protobufs");
const root = new protobuf.Root();
root.resolvePath = (_origin, target) =>
  join(target.startsWith("google/") ? folderOf("protobufjs") : definitions, target);
root.loadSync(
  [
    "steammessages_base.proto",
    "steammessages_clientserver_login.proto",
    "steammessages_clientserver_appinfo.proto",
    "steammessages_store.steamclient.proto",
    "steammessages_storebrowse.steamclient.proto",
  ],
  { keepCase: true },
);

const header = root.lookupType("CMsgProtoBufHeader");
const multi = root.lookupType("CMsgMulti");

/** A codec of one message type; 64-bit numbers are decimal texts. */
function codec<T extends object>(name: string) {
  const type = root.lookupType(name);
  return {
    encode: (message: T): Uint8Array => type.encode(message).finish(),
    /** Fields that are absent on the wire are absent in the result; repeated ones are empty lists. */
    decode: (bytes: Uint8Array): T => type.toObject(type.decode(bytes), { longs: String, arrays: true }) as T,
  };
}

export interface ProductInfoApp {
  appid: number;
  change_number: number;
  missing_token: boolean;
  sha: Uint8Array;
  buffer?: Uint8Array;
  only_public: boolean;
  size: number;
}

export const messages = {
  logonResponse: codec<{
    eresult: number;
    heartbeat_seconds?: number;
    legacy_out_of_game_heartbeat_seconds?: number;
    rtime32_server_time?: number;
    cell_id?: number;
    client_supplied_steamid?: string;
    ip_country_code?: string;
  }>("CMsgClientLogonResponse"),
  loggedOff: codec<{ eresult: number }>("CMsgClientLoggedOff"),
  changesSinceRequest: codec<{
    since_change_number?: number;
    send_app_info_changes?: boolean;
    send_package_info_changes?: boolean;
  }>("CMsgClientPICSChangesSinceRequest"),
  changesSinceResponse: codec<{
    current_change_number: number;
    since_change_number: number;
    force_full_update?: boolean;
    force_full_app_update?: boolean;
    force_full_package_update?: boolean;
    app_changes?: { appid: number; change_number: number; needs_token?: boolean }[];
    package_changes?: { packageid: number; change_number: number }[];
  }>("CMsgClientPICSChangesSinceResponse"),
  productInfoRequest: codec<{
    apps: { appid: number; access_token?: string }[];
    packages: { packageid: number }[];
    meta_data_only?: boolean;
  }>("CMsgClientPICSProductInfoRequest"),
  productInfoResponse: codec<{
    apps: ProductInfoApp[];
    unknown_appids: number[];
    unknown_packageids: number[];
    meta_data_only: boolean;
    response_pending: boolean;
    http_min_size?: number;
    http_host?: string;
  }>("CMsgClientPICSProductInfoResponse"),
  accessTokenRequest: codec<{ appids: number[]; packageids: number[] }>("CMsgClientPICSAccessTokenRequest"),
  accessTokenResponse: codec<{
    app_access_tokens: { appid: number; access_token: string }[];
    app_denied_tokens: number[];
    package_denied_tokens: number[];
  }>("CMsgClientPICSAccessTokenResponse"),
  tagNamesRequest: codec<{ language?: string; tagids: number[] }>("CStore_GetLocalizedNameForTags_Request"),
  tagNamesResponse: codec<{ tags: { tagid: number; english_name: string; name: string }[] }>(
    "CStore_GetLocalizedNameForTags_Response",
  ),
  categoryNamesRequest: codec<{ language?: string }>("CStoreBrowse_GetStoreCategories_Request"),
  categoryNamesResponse: codec<{
    categories: { categoryid?: number; type?: number; internal_name?: string; display_name?: string }[];
  }>("CStoreBrowse_GetStoreCategories_Response"),
};

/** One message, ready to send. */
export function encodeMessage(emsg: number, head: Header, body: Uint8Array): Buffer {
  const headBytes = header.encode(head).finish();
  const start = Buffer.allocUnsafe(8);
  start.writeUInt32LE((emsg | protoMask) >>> 0, 0);
  start.writeUInt32LE(headBytes.length, 4);
  return Buffer.concat([start, headBytes, body]);
}

/** Throws on bytes that are no such message. */
export function decodeMessage(bytes: Buffer): { emsg: number; header: Header; body: Buffer } {
  const headLength = bytes.readUInt32LE(4);
  const head = header.toObject(header.decode(bytes.subarray(8, 8 + headLength)), { longs: String }) as Header;
  return { emsg: (bytes.readUInt32LE(0) & ~protoMask) >>> 0, header: head, body: bytes.subarray(8 + headLength) };
}

/** Length-prefixed messages: what a Multi holds, unzipped. */
export function joinMessages(list: readonly Buffer[]): Buffer {
  return Buffer.concat(
    list.flatMap((message) => {
      const length = Buffer.allocUnsafe(4);
      length.writeUInt32LE(message.length, 0);
      return [length, message];
    }),
  );
}

/** A Multi of a gzipped payload. */
export function encodeMulti(zipped: Uint8Array, sizeUnzipped: number): Buffer {
  const body = multi.encode({ size_unzipped: sizeUnzipped, message_body: zipped }).finish();
  return encodeMessage(eMsg.multi, {}, body);
}
