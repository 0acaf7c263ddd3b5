import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { promisify } from "node:util";
import { constants, gzip } from "node:zlib";
import { type WebSocket, WebSocketServer } from "ws";
import { sendBomb } from "./bombs.ts";
import type { SimulationContext } from "./context.ts";
import type { FaultOf } from "./faults.ts";
import { type PicsReply, type PicsRequest, picsReply, readPicsRequest } from "./pics-replies.ts";
import { createRandom } from "./random.ts";
import { decodeMessage, eMsg, encodeMessage, encodeMulti, type Header, joinMessages, messages } from "./wire.ts";

/** The websocket side of Steam (`/cmsocket/`): logon, heartbeat, log-off, and PICS requests answered by job id. */
export interface ContentManager {
  readonly sessions: number;
  accept(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  disconnectAll(eresult?: number): void;
}

interface Connection {
  socket: WebSocket;
  /** Steam id of the anonymous account; null until logged on. */
  session: { steamid: string; client_sessionid: number } | null;
}

/** Steam's EResult OK. */
const eresultOk = 1;
const zip = promisify(gzip);
/** Fast rather than small, since loopback has bandwidth to spare; one output buffer holds the usual reply. */
const zipOptions = { level: constants.Z_BEST_SPEED, chunkSize: 256 * 1024 };

export function createContentManager(context: SimulationContext): ContentManager {
  const server = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  const connections = new Set<Connection>();
  const noise = createRandom(7);
  let accounts = 0;

  const send = (connection: Connection, frame: Buffer) => {
    if (connection.socket.readyState !== connection.socket.OPEN) return;
    context.log.bytesSent += frame.length;
    connection.socket.send(frame);
  };
  const message = (connection: Connection, emsg: number, body: Uint8Array, extra: Header = {}) =>
    encodeMessage(emsg, { ...connection.session, ...extra }, body);
  const sayGoodbye = (connection: Connection, eresult: number) => {
    send(connection, message(connection, eMsg.clientLoggedOff, messages.loggedOff.encode({ eresult })));
    connection.session = null;
    connection.socket.close(1000);
  };
  const randomBytes = (length: number) => Buffer.from(noise.hex(length * 2), "hex");
  const later = (delayMs: number, work: () => void) => {
    if (delayMs > 0) setTimeout(work, delayMs).unref();
    else work();
  };

  const logOn = (connection: Connection) => {
    context.log.add("logon");
    const { reply, delayMs } = context.faults.strike("logon", []);
    if (reply?.kind === "hang") return;
    if (reply?.kind === "drop") {
      connection.socket.terminate();
      return;
    }
    later(context.latencyMs + delayMs, () => {
      if (reply?.kind === "logon_refused") {
        const body = messages.logonResponse.encode({ eresult: reply.eresult });
        send(connection, message(connection, eMsg.clientLogOnResponse, body));
        connection.socket.close(1000);
        return;
      }
      accounts += 1;
      connection.session = { steamid: anonymousSteamId(accounts), client_sessionid: accounts };
      const body = messages.logonResponse.encode({
        eresult: eresultOk,
        heartbeat_seconds: context.heartbeatSeconds,
        legacy_out_of_game_heartbeat_seconds: context.heartbeatSeconds,
        rtime32_server_time: Math.floor(Date.now() / 1000),
        cell_id: 4,
        client_supplied_steamid: connection.session.steamid,
        ip_country_code: "DE",
      });
      send(connection, message(connection, eMsg.clientLogOnResponse, body));
    });
  };

  const answerPics = (connection: Connection, request: PicsRequest, jobid_target: string) => {
    context.log.add(request.kind, request.ids);
    const { reply: fault, apps, delayMs } = context.faults.strike(request.kind, request.ids);
    if (fault?.kind === "hang") return;
    if (fault?.kind === "drop") {
      connection.socket.terminate();
      return;
    }
    if (fault?.kind === "logoff") {
      sayGoodbye(connection, fault.eresult);
      return;
    }
    later(context.latencyMs + delayMs, () => {
      const extra = { jobid_target, ...(request.job && { target_job_name: request.job, eresult: eresultOk }) };
      if (fault?.kind === "garbage") {
        send(
          connection,
          garbage(fault, (body) => message(connection, request.replyMsg, body, extra)),
        );
        return;
      }
      if (fault?.kind === "bomb") {
        const wrap = (body: Uint8Array) => message(connection, request.replyMsg, body, extra);
        const countBytes = (count: number) => {
          context.log.bytesSent += count;
        };
        void sendBomb(connection.socket, fault.how, wrap, countBytes);
        return;
      }
      const reply = picsReply(context, request, { apps, reply: fault });
      sendReply(connection, reply, (body) => message(connection, request.replyMsg, body, extra)).catch((error) => {
        console.error("Simulated Steam:", error);
        connection.socket.terminate();
      });
    });
  };

  const sendReply = async (connection: Connection, reply: PicsReply, wrap: (body: Uint8Array) => Buffer) => {
    const frames = reply.bodies.map(async (body) => {
      const bytes = wrap(body);
      // Small replies come as they are, large ones zipped, as Steam does.
      if (bytes.length < 1024) return bytes;
      const payload = joinMessages([bytes]);
      return encodeMulti(await zip(payload, zipOptions), payload.length);
    });
    for (const frame of await Promise.all(frames)) send(connection, frame);
    context.log.appsServed += reply.appsServed;
  };

  const garbage = (fault: FaultOf<"garbage">, wrap: (body: Uint8Array) => Buffer): Buffer => {
    if (fault.how === "frame") return randomBytes(200);
    // 0xff opens a field of an unknown wire type, so that no decoder can take the rest for a message.
    if (fault.how === "body") return wrap(Buffer.concat([Buffer.from([0xff]), randomBytes(200)]));
    return encodeMulti(Buffer.concat([Buffer.from([0x1f, 0x8b, 8, 0]), randomBytes(200)]), 4096);
  };

  const receive = (connection: Connection, bytes: Buffer) => {
    const { emsg, header, body } = decodeMessage(bytes);
    if (emsg === eMsg.clientLogon) logOn(connection);
    else if (!connection.session) return;
    else if (emsg === eMsg.clientHeartBeat) context.log.add("heartbeat");
    else if (emsg === eMsg.clientLogOff) {
      context.log.add("logoff");
      sayGoodbye(connection, eresultOk);
    } else {
      const request = readPicsRequest(emsg, header, body);
      if (request) answerPics(connection, request, header.jobid_source ?? "0");
      else context.log.add("other");
    }
  };

  return {
    get sessions() {
      return [...connections].filter(({ session }) => session).length;
    },
    accept(request, socket, head) {
      if (!request.url?.startsWith("/cmsocket/")) {
        socket.destroy();
        return;
      }
      server.handleUpgrade(request, socket, head, (websocket) => {
        const connection: Connection = { socket: websocket, session: null };
        connections.add(connection);
        websocket.on("close", () => connections.delete(connection));
        websocket.on("error", () => websocket.terminate());
        websocket.on("message", (data) => {
          try {
            receive(connection, data as Buffer);
          } catch (error) {
            console.error("Simulated Steam cannot read a message:", error);
            websocket.terminate();
          }
        });
      });
    },
    disconnectAll(eresult) {
      for (const connection of connections) {
        if (eresult !== undefined && connection.session) sayGoodbye(connection, eresult);
        else connection.socket.terminate();
      }
    },
  };
}

/** Universe 1 (public), account type 10 (anonymous user). */
function anonymousSteamId(account: number): string {
  return ((1n << 56n) | (10n << 52n) | BigInt(account)).toString();
}
