import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Certificates } from "./certificates.ts";

/** One web API of the simulation, found by host and by the start of the path. */
export interface WebRoute {
  /** The whole host name, or `*` for any. */
  host: string;
  /** The start of the path. */
  path: string;
  handle(request: WebRequest, response: ServerResponse): void | Promise<void>;
}

export interface WebRequest {
  method: string;
  url: URL;
  headers: IncomingMessage["headers"];
  body: string;
}

export interface ProxyOptions {
  certificates: Certificates;
  /** The first that matches handles the request; without one the status is 404. */
  routes: WebRoute[];
  /** Whether the proxy answers 502 instead of connecting. */
  isRefused(host: string): boolean;
  /** A websocket upgrade behind TLS. */
  onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
}

export interface Proxy {
  url: string;
  close(): Promise<void>;
}

/**
 * A loopback HTTP proxy in which every host ends at the same handlers: `CONNECT host:80` and absolute-form requests in
 * plain HTTP, `CONNECT` to any other port behind TLS with a certificate for that host.
 */
export async function startProxy(options: ProxyOptions): Promise<Proxy> {
  const sockets = new Set<Socket>();
  const handle = (request: IncomingMessage, response: ServerResponse) => {
    answer(options.routes, request, response).catch((error) => {
      console.error("Simulated web API:", error);
      response.destroy();
    });
  };
  const plain = createServer(handle);
  const secure = createTlsServer(
    {
      SNICallback(host, callback) {
        options.certificates.contextFor(host).then((context) => callback(null, context), callback);
      },
    },
    handle,
  );
  secure.on("upgrade", options.onUpgrade);
  secure.on("tlsClientError", (_error, socket) => socket.destroy());

  const proxy = createServer((request, response) => {
    const host = URL.parse(request.url ?? "")?.hostname ?? "";
    if (options.isRefused(host)) response.writeHead(502).end();
    else handle(request, response);
  });
  proxy.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
  });
  proxy.on("connect", (request, socket, head) => {
    const [host = "", port] = (request.url ?? "").split(":");
    if (options.isRefused(host)) {
      socket.end("HTTP/1.1 502 Bad Gateway\r\n\r\n");
      return;
    }
    socket.write("HTTP/1.1 200 Connection Established\r\n\r\n");
    if (head.length > 0) socket.unshift(head);
    (port === "80" ? plain : secure).emit("connection", socket);
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));

  return {
    url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    async close() {
      const closed = new Promise((resolve) => proxy.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

async function answer(routes: WebRoute[], request: IncomingMessage, response: ServerResponse): Promise<void> {
  const scheme = "encrypted" in request.socket ? "https" : "http";
  const url = new URL(request.url ?? "/", `${scheme}://${request.headers.host ?? "unknown"}`);
  const route = routes.find(
    ({ host, path }) => (host === "*" || host === url.hostname) && url.pathname.startsWith(path),
  );
  if (!route) {
    response.writeHead(404).end();
    return;
  }
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part);
  const { method = "GET", headers } = request;
  await route.handle({ method, url, headers, body: Buffer.concat(parts).toString() }, response);
}
