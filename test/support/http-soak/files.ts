import { setTimeout as sleep } from "node:timers/promises";
import { connectRaw, request } from "../raw-http.ts";
import { startBareServer } from "./start-bare-server.ts";
import { secondsUntil } from "./target.ts";

/** A server that may open 120 files, flooded for 20 s by connections that come again and again. */
export async function outOfFiles(report: (line: string) => void): Promise<string[]> {
  const env = { MAX_CONNECTIONS: "5000", TRUSTED_PROXIES: "1", IGNORE_FILE_LIMIT: "on" };
  const server = startBareServer({ files: 120, env });
  try {
    const base = await server.url();
    const cpu = server.cpuSeconds();
    let connections = 0;
    for (let round = 0; round < 40; round++) {
      const clients = await Promise.all(
        Array.from({ length: 200 }, () => connectRaw(base, { send: request("/health") })),
      );
      connections += clients.length;
      await sleep(500);
      for (const { socket } of clients) socket.destroy();
    }
    const used = server.cpuSeconds() - cpu;
    const isUp = () =>
      fetch(`${base}/health`).then(
        ({ status }) => status === 200,
        () => false,
      );
    const seconds = await secondsUntil(isUp, 10);
    const bytes = server.output().length;
    report(`${connections} connections to a server with 120 files: answers ${seconds.toFixed(1)} s later`);
    report(`  ${used.toFixed(1)} s of the processor, ${bytes} bytes of log`);
    return [
      ...(Number.isFinite(seconds) ? [] : ["no answer after the flood"]),
      ...(bytes > 10_000 ? [`${bytes} bytes of log`] : []),
      ...(used > 20 ? [`${used.toFixed(1)} s of the processor`] : []),
    ];
  } finally {
    await server.stop();
  }
}
