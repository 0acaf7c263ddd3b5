/**
 * Service methods that steam-user 5.3.0 cannot send by itself: its package carries the protobuf definitions of their
 * messages, but its list of methods (components/03-messages.js) lacks them. Its `_sendUnified` would throw for such a
 * method, and its callback would get the reply undecoded.
 */
import type { JobCallback, ProtectedSteamUser } from "./contained-client.ts";

/** The protobuf types of steam-user's package, by name. */
export type ProtobufTypes = Readonly<Record<string, object | undefined>>;

/** steam-user's own encoder and decoder: absent scalars become null, 64-bit numbers text. */
export interface ProtobufCodec {
  _encodeProto(type: object, message: object): Uint8Array;
  _decodeProto(type: object, encoded: unknown): unknown;
}

/** Method → the name of its messages, without `_Request` and `_Response`. */
const unlistedMethods: Readonly<Record<string, string>> = {
  "StoreBrowse.GetStoreCategories#1": "CStoreBrowse_GetStoreCategories",
};

const serviceMethodCallFromClient = 151;

/** Makes `_sendUnified` of `client` send these methods too, and pass on their replies decoded like all others. */
export function addServiceMethods(client: ProtectedSteamUser, types: ProtobufTypes, codec: ProtobufCodec): void {
  const sendUnified = client._sendUnified;
  client._sendUnified = (method, body, callback) => {
    const messages = unlistedMethods[method];
    if (messages === undefined) return sendUnified.call(client, method, body, callback);
    const request = typeOf(types, `${messages}_Request`);
    const response = typeOf(types, `${messages}_Response`);
    // Called by steam-user while it handles the message, so a reply that cannot be decoded ends the connection.
    const onReply: JobCallback = (reply, header) => callback(codec._decodeProto(response, reply), header);
    const header = { msg: serviceMethodCallFromClient, proto: { target_job_name: method } };
    client._send(header, codec._encodeProto(request, body), onReply);
  };
}

function typeOf(types: ProtobufTypes, name: string): object {
  const type = types[name];
  if (type === undefined) throw new Error(`steam-user has no definition of ${name}`);
  return type;
}
