import { once } from "node:events";
import type { AddressInfo, Socket } from "node:net";
import { connect, createServer } from "node:net";

export interface TcpProxy {
  port: number;
  /** Makes every connection half-open: bytes are dropped in both directions, and new connections get no answer. */
  freeze(): void;
  /** Closes the half-open connections; new ones work. */
  thaw(): void;
  close(): Promise<void>;
}

/** TCP proxy to a local server that can make its connections half-open, as an unplugged cable does. */
export async function startTcpProxy(targetPort: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let frozen = false;
  function track(socket: Socket): void {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  }
  function carry(from: Socket, to: Socket): void {
    from.on("data", (chunk) => {
      if (!frozen) to.write(chunk);
    });
    from.on("end", () => {
      if (!frozen) to.end();
    });
    from.on("error", () => {
      if (!frozen) to.destroy();
    });
  }
  // allowHalfOpen: while frozen, a FIN is not answered either.
  const server = createServer({ allowHalfOpen: true }, (client) => {
    track(client);
    const target = connect({ port: targetPort, host: "127.0.0.1", allowHalfOpen: true });
    track(target);
    carry(client, target);
    carry(target, client);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  function destroyAll(): void {
    for (const socket of sockets) socket.destroy();
  }
  return {
    port: (server.address() as AddressInfo).port,
    freeze() {
      frozen = true;
    },
    thaw() {
      destroyAll();
      frozen = false;
    },
    async close() {
      server.close();
      destroyAll();
      await once(server, "close");
    },
  };
}
