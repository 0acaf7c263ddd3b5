import { once } from "node:events";
import type { AddressInfo, Socket } from "node:net";
import { connect, createServer } from "node:net";

export interface TcpProxy {
  port: number;
  /** From now on bytes are swallowed in both directions while connections stay open, and new ones get no answer. */
  freeze(): void;
  /** Ends what is frozen; connections made from now on work. */
  thaw(): void;
  close(): Promise<void>;
}

/** A way to a local TCP server that can turn half-open, as a cable that was pulled does. */
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
  // Not even a goodbye is answered while frozen.
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
