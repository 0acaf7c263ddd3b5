// @ts-check
import { setServiceTime } from "./clock.js";

/**
 * The service's event stream, shared by all pages. The latest message of each kind is kept, so that a page that opens later has it at once.
 * It also says whether the service answers: `status` comes every second, so silence means that the service is gone.
 *
 * @typedef {import("../messages.ts").DashboardMessages} Messages
 * @typedef {"connecting" | "live" | "offline"} Phase
 * @typedef {{ phase: Phase, since: number, isRefused: boolean }} Connection
 *   `since`: milliseconds since 1970 by the viewer's clock; of `offline` the time of the last message.
 *   `isRefused`: the service answers, but no stream, as when too many are open
 */

const silenceMs = 4_000;
/** A browser reconnects by itself after a lost connection, and never after a reply that is no stream (a proxy's error page). */
const retryMs = 5_000;
const maxItems = 900;

/** @type {(keyof Messages)[]} */
const states = ["service", "status", "activity", "day", "catalog", "stored"];
/** Their messages hold what is new. @type {("throughput" | "events")[]} */
const series = ["throughput", "events"];

/** @type {Partial<Messages>} */
let latest = {};
const arrivals = new EventTarget();
/** @type {Connection} */
let connection = { phase: "connecting", since: Date.now(), isRefused: false };
let lastMessageAt = Date.now();

/**
 * Calls `use` with the latest message of a kind, if there is one, and with each that follows until the signal aborts. Of a series with all
 * that was received.
 *
 * @template {keyof Messages} Name @param {Name} name @param {(data: Messages[Name]) => void} use @param {AbortSignal} signal
 */
export function onMessage(name, use, signal) {
  const apply = () => {
    const data = latest[name];
    if (data !== undefined) use(data);
  };
  arrivals.addEventListener(name, apply, { signal });
  apply();
}

/** Calls `use` with the state of the connection, now and after each change. @param {(connection: Connection) => void} use @param {AbortSignal} signal */
export function onConnection(use, signal) {
  arrivals.addEventListener("connection", () => use(connection), { signal });
  use(connection);
}

/** The latest message of a kind. @template {keyof Messages} Name @param {Name} name @returns {Messages[Name] | undefined} */
export const latestMessage = (name) => latest[name];

/** Subscribes to the stream; to be called once. */
export function connect() {
  open();
  setInterval(() => {
    if (Date.now() - lastMessageAt > silenceMs) enter("offline");
  }, 500);
}

function open() {
  const source = new EventSource("/dashboard/stream");
  // A new connection is sent all of a series again, perhaps by another process.
  source.addEventListener("open", () => {
    for (const name of series) delete latest[name];
  });
  for (const name of states) source.addEventListener(name, ({ data }) => receive({ [name]: JSON.parse(data) }));
  for (const name of series) {
    source.addEventListener(name, ({ data }) => {
      receive({ [name]: [...(latest[name] ?? []), ...JSON.parse(data)].slice(-maxItems) });
    });
  }
  source.addEventListener("error", () => {
    enter("offline");
    if (source.readyState === EventSource.CLOSED) setTimeout(reopen, retryMs);
  });
}

/** @param {Partial<Messages>} message of one kind */
function receive(message) {
  lastMessageAt = Date.now();
  const { service, status } = message;
  // Another version may need another page.
  if (service && latest.service && service.version !== latest.service.version) location.reload();
  if (status) setServiceTime(status.now);
  latest = { ...latest, ...message };
  enter("live");
  for (const name of Object.keys(message)) arrivals.dispatchEvent(new Event(name));
}

/** After a reply that was no stream. Where it demands the API key, only a reload makes the browser ask for it. */
async function reopen() {
  const answer = await fetch("/dashboard/icon.svg", { cache: "no-store" }).catch(() => null);
  if (answer?.status === 401) return location.reload();
  enter("offline", answer?.ok === true);
  open();
}

/** @param {Phase} phase @param {boolean} [isRefused] */
function enter(phase, isRefused = phase === connection.phase && connection.isRefused) {
  if (connection.phase === phase && connection.isRefused === isRefused) return;
  connection = { phase, since: phase === "offline" ? lastMessageAt : Date.now(), isRefused };
  arrivals.dispatchEvent(new Event("connection"));
}
