import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

/** A receiver of webhooks that misbehaves as a test wants. */

export interface Received {
  headers: Record<string, string>;
  body: string;
}

/** What is done with a request; `lost` answers are those that the sender does not get although the message was taken. */
export type Behaviour =
  | "ok"
  | "server_error"
  | "busy"
  | "reset"
  | "silent"
  /** Takes the message, then fails. */
  | "lost_error"
  | "lost_reset";

export interface Receiver {
  url: string;
  /** Messages that were taken, in the order of their arrival. */
  received: Received[];
  /** Chooses for each request; "ok" at first. */
  behave: (request: Received) => Behaviour;
  close(): Promise<void>;
}

const takes: readonly Behaviour[] = ["ok", "lost_error", "lost_reset"];

export async function startReceiver(): Promise<Receiver> {
  const receiver: Receiver = { url: "", received: [], behave: () => "ok", close: async () => {} };

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const message = { headers: request.headers as Record<string, string>, body: await text(request) };
    const behaviour = receiver.behave(message);
    if (takes.includes(behaviour)) receiver.received.push(message);
    switch (behaviour) {
      case "ok":
        response.writeHead(204).end();
        return;
      case "busy":
        response.writeHead(429, { "content-type": "application/json" }).end('{"retry_after": 0.01}');
        return;
      case "server_error":
      case "lost_error":
        response.writeHead(500).end("no");
        return;
      case "reset":
      case "lost_reset":
        request.socket.resetAndDestroy();
        return;
      case "silent":
    }
  }

  const server = createServer((request, response) => void answer(request, response).catch(() => {}));
  await once(server.listen(0, "127.0.0.1"), "listening");
  receiver.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
  receiver.close = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(() => resolve()));
  };
  return receiver;
}
