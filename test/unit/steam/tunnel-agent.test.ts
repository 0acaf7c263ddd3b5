import { once } from "node:events";
import { createServer, request } from "node:https";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { createTunnelAgent } from "../../../src/steam/tunnel-agent.ts";
import { createCertificates } from "../../support/steam/certificates.ts";

test("offers no compression with a websocket upgrade, and ends one that is answered by a page", async () => {
  const certificates = await createCertificates();
  const server = createServer({
    SNICallback: (host, callback) => {
      certificates.contextFor(host).then((context) => callback(null, context), callback);
    },
  });
  const offered: unknown[] = [];
  let sentBytes = 0;
  server.on("upgrade", (upgrade, socket) => {
    offered.push(upgrade.headers["sec-websocket-extensions"], upgrade.headers["sec-websocket-key"]);
    socket.on("error", () => {});
    socket.write("HTTP/1.1 200 OK\r\n\r\n");
    const more = () => {
      if (socket.destroyed) return;
      sentBytes += 65_536;
      socket.write(Buffer.alloc(65_536), () => setImmediate(more));
    };
    more();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const agent = createTunnelAgent(undefined);
  const upgrade = request({
    host: "127.0.0.1",
    servername: "cm.steamserver.net",
    port: (server.address() as AddressInfo).port,
    ca: certificates.caPem,
    agent,
    headers: {
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-key": "abc",
      "sec-websocket-extensions": "permessage-deflate",
    },
  });
  const failed = once(upgrade, "error");
  upgrade.on("error", () => {}).end();
  const [error] = await failed;
  expect(error).toMatchObject({ message: expect.stringContaining("HTTP status 200") });
  expect(offered).toEqual([undefined, "abc"]);
  agent.destroy();
  await new Promise((resolve) => server.close(resolve));
  expect(sentBytes).toBeLessThan(8 * 1024 * 1024);
});
