import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { createSecureContext, TLSSocket } from "node:tls";
import type { KeyPair } from "./private-ca.ts";

/** A refusal as it stands on the wire: an ErrorResponse. */
export interface Refusal {
  code: string;
  message: string;
}

/** What answers in front of a Postgres server, as a pooler or a TLS proxy does. Settings may be changed while it runs. */
export interface PostgresFront {
  port: number;
  /** Answers SSLRequest by TLS with this certificate; null refuses it, `garbage` accepts it and does not speak TLS. */
  tls: KeyPair | "garbage" | null;
  /** Rejects connections: all, or those with or without TLS. Null accepts them. */
  refuse: ((encrypted: boolean) => Refusal | null) | null;
  /** Whether each connection that it passed on or refused was encrypted, the first one first. */
  readonly seen: boolean[];
  /** Ends all connections. */
  drop(): void;
  close(): Promise<void>;
}

const sslRequest = 80_877_103;

/** @param targetPort of the server that gets what is not refused, in plain text. */
export async function startPostgresFront(targetPort = 0): Promise<PostgresFront> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    track(socket);
    void serve(socket);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const seen: boolean[] = [];

  function track(socket: Socket): void {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => sockets.delete(socket));
  }

  async function serve(socket: Socket): Promise<void> {
    const first = await firstPacket(socket);
    if (first === null) return;
    if (first.readInt32BE(4) !== sslRequest) return begin(socket, first, false);
    if (front.tls === null) socket.write("N");
    if (front.tls === "garbage") {
      socket.write("S");
      if (await firstPacket(socket)) socket.end("this is no TLS record");
      return;
    }
    const inner = front.tls === null ? socket : accept(socket, front.tls);
    const startup = await firstPacket(inner);
    if (startup !== null) begin(inner, startup, inner !== socket);
  }

  function begin(client: Duplex, startup: Buffer, encrypted: boolean): void {
    seen.push(encrypted);
    const refusal = front.refuse?.(encrypted);
    if (refusal) return void client.end(errorResponse(refusal));
    const target = connect(targetPort, "127.0.0.1");
    track(target);
    target.write(startup);
    client.pipe(target).pipe(client);
  }

  function drop(): void {
    for (const socket of sockets) socket.destroy();
  }

  const front: PostgresFront = {
    port: (server.address() as AddressInfo).port,
    tls: null,
    refuse: null,
    seen,
    drop,
    async close() {
      server.close();
      drop();
      await once(server, "close");
    },
  };
  return front;
}

function accept(socket: Socket, pair: KeyPair): TLSSocket {
  socket.write("S");
  const secure = new TLSSocket(socket, { isServer: true, secureContext: createSecureContext(pair) });
  // A client that rejects the certificate.
  secure.on("error", () => socket.destroy());
  return secure;
}

/** The first packet of a stream; null when it ends before. */
function firstPacket(stream: Duplex): Promise<Buffer | null> {
  return new Promise((resolve) => {
    stream.once("data", (chunk: Buffer) => {
      stream.pause();
      resolve(chunk);
    });
    stream.once("close", () => resolve(null));
    stream.resume();
  });
}

export function errorResponse({ code, message }: Refusal): Buffer {
  const fields = `SFATAL\0VFATAL\0C${code}\0M${message}\0\0`;
  const head = Buffer.alloc(5);
  head.write("E");
  head.writeInt32BE(4 + Buffer.byteLength(fields), 1);
  return Buffer.concat([head, Buffer.from(fields)]);
}
