import { setTimeout as sleep } from "node:timers/promises";
import { connectRaw, type RawClient, request } from "../raw-http.ts";
import { connectMany, leave, probe, secondsUntil, startTarget, type Target } from "./target.ts";

type Report = (line: string) => void;

const stream = { send: request("/v1/changes/stream?after=0"), isStalled: true };
const megabytes = (bytes: number) => `${Math.round(bytes / 1_048_576)} MB`;
/** Besides what the kernel buffers: a page of changes and 16 KB per reader, some 60 MB, and garbage that V8 has not collected yet. */
const maxGrowth = 256 * 1_048_576;

/** Clients that stall, trickle, flood and leave, against one service. */
export async function slowClients(report: Report): Promise<string[]> {
  await using target = await startTarget();
  // 40 MB of history: more than the kernel buffers for a reader.
  await target.sql(
    `insert into app_changes (appid, change_number, field, old, new)
     select 10, i, 'name', null, to_jsonb(repeat('x', 2000)) from generate_series(1, 20000) i`,
  );
  const violations: string[] = [];
  for (const attack of [slowRequests, unreadReplies, flood, neverReading, stallingInWaves]) {
    const before = target.logged();
    const honest = probe(target.base, "/v1/changes?limit=1");
    violations.push(...(await attack(target, report)));
    const { requests, slowestMs, failures } = await honest.result();
    const logged = target.logged().bytes - before.bytes;
    report(
      `  beside it ${requests} requests of others, the slowest ${slowestMs} ms, ${failures.length} failed; ${logged} bytes of log`,
    );
    // 200 addresses together take all connections for a second.
    if (attack !== flood) violations.push(...failures.slice(0, 3));
    if (logged > 20_000) violations.push(`${attack.name}: ${logged} bytes of log`);
  }
  return violations;
}

/** 500 readers that never read. */
async function neverReading(target: Target, report: Report): Promise<string[]> {
  const before = target.memory();
  const honest = await connectRaw(target.base, {
    send: request("/v1/changes/stream?after=0"),
    localAddress: "127.0.9.9",
  });
  const readers = await connectMany(target, 500, 1, stream);
  let [most, open] = [before, 0];
  const seconds = await secondsUntil(async () => {
    most = Math.max(most, target.memory());
    const streams = await target.metric("http_streams");
    open = Math.max(open, streams);
    return streams === 1;
  }, 240);
  const read = honest.socket.bytesRead;
  leave([honest, ...readers]);
  report(`500 readers that never read: up to ${open} streams open, the last was cut off after ${seconds.toFixed(0)} s`);
  report(`  memory ${megabytes(before)}, at most ${megabytes(most)}; another reader read ${megabytes(read)} meanwhile`);
  return [
    ...(open < 500 ? [`only ${open} streams were open`] : []),
    ...(Number.isFinite(seconds) ? [] : ["readers that never read are still connected"]),
    ...(most - before > maxGrowth ? [`memory grew by ${megabytes(most - before)}`] : []),
    ...(read < 40_000_000 ? [`the reader beside them read ${megabytes(read)} of 40 MB`] : []),
  ];
}

/** Readers that stall for 25 s and leave, a hundred every 5 s, for four minutes. */
async function stallingInWaves(target: Target, report: Report): Promise<string[]> {
  const waves = Number(process.env.WAVES ?? 48);
  const leaving: Promise<void>[] = [];
  let opened = 0;
  for (let wave = 0; wave < waves; wave++) {
    const readers = await connectMany(target, 100, 20 + (wave % 20), stream);
    opened += readers.length;
    leaving.push(sleep(25_000).then(() => leave(readers)));
    await sleep(5_000);
  }
  await Promise.all(leaving);
  const seconds = await secondsUntil(async () => (await target.metric("http_streams")) === 0, 10);
  report(
    `${opened} readers that stall for 25 s and leave, in ${waves} waves: all slots free ${seconds.toFixed(1)} s after the last`,
  );
  return Number.isFinite(seconds) ? [] : [`${await target.metric("http_streams")} slots are still taken`];
}

/** Headers that arrive byte by byte, bodies that do not arrive, connections that send nothing. */
async function slowRequests(target: Target, report: Report): Promise<string[]> {
  const silent = await connectMany(target, 50, 50, {});
  const bodies = await connectMany(target, 50, 60, {
    send: "POST /v1 HTTP/1.1\r\nhost: a\r\ncontent-length: 900\r\n\r\nhalf",
  });
  const trickling = await connectMany(target, 50, 70, { send: "GET /health HTTP/1.1\r\nhost: a\r\nx: " });
  const timer = setInterval(() => {
    for (const { socket } of [...trickling, ...bodies]) if (socket.writable) socket.write("a");
  }, 1_000);
  const seconds = await allClosed([...silent, ...bodies, ...trickling], 60);
  clearInterval(timer);
  report(
    `150 clients with slow headers, slow bodies or no request: the last was disconnected after ${seconds.toFixed(0)} s`,
  );
  return Number.isFinite(seconds) ? [] : ["slow requests are still connected"];
}

/** Replies of 1 MB, several in a row on each connection, that are not read. */
async function unreadReplies(target: Target, report: Report): Promise<string[]> {
  const before = target.memory();
  const clients = await connectMany(target, 60, 80, {
    send: request("/v1/changes?limit=500").repeat(10),
    isStalled: true,
  });
  let most = before;
  const seconds = await secondsUntil(async () => {
    most = Math.max(most, target.memory());
    return (await target.metric("http_connections")) < 10;
  }, 120);
  leave(clients);
  const dropped = await target.metric('http_connections_dropped_total{reason="unread_reply"}');
  report(
    `60 clients that read none of 10 replies of 1 MB: the last was disconnected after ${seconds.toFixed(0)} s (${dropped} for the reply's own limit)`,
  );
  report(`  memory ${megabytes(before)}, at most ${megabytes(most)}`);
  return Number.isFinite(seconds) ? [] : ["clients that do not read are still connected"];
}

/** Twice as many connections as MAX_CONNECTIONS, from one address and from many. */
async function flood(target: Target, report: Report): Promise<string[]> {
  const one = await Promise.all(
    Array.from({ length: 1_000 }, () => connectRaw(target.base, { localAddress: "127.0.90.1" })),
  );
  await sleep(1_000);
  const ofOne = one.filter(({ socket }) => !socket.destroyed).length;
  leave(one);
  const many = await connectMany(target, 2_000, 100, {});
  const stayOpen = () => many.filter(({ socket }) => !socket.destroyed).length;
  // The kernel's queue holds some more for a moment.
  await secondsUntil(async () => stayOpen() <= 1_000, 10);
  const ofMany = stayOpen();
  leave(many);
  const seconds = await secondsUntil(async () => {
    const status = await fetch(`${target.base}/health`).then(
      (reply) => reply.status,
      () => 0,
    );
    return status === 200;
  }, 30);
  report(
    `1000 connections from one address: ${ofOne} stay open; 2000 from 200 addresses: ${ofMany}; answers ${seconds.toFixed(1)} s after they left`,
  );
  return [
    ...(ofOne > 250 ? [`${ofOne} connections from one address`] : []),
    ...(ofMany > 1_000 ? [`${ofMany} connections in all`] : []),
    ...(Number.isFinite(seconds) ? [] : ["no answer after the flood"]),
  ];
}

/** Seconds until all are closed. */
async function allClosed(clients: readonly RawClient[], limitSeconds: number): Promise<number> {
  return secondsUntil(async () => clients.every(({ socket }) => socket.destroyed), limitSeconds);
}
