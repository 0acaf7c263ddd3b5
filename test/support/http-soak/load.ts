import { Agent, get } from "node:http";
import { setTimeout as delay } from "node:timers/promises";

/** Load from many addresses of the loopback network (127.0.0.0/8), which the service takes for different clients. */

export interface Answer {
  path: string;
  status: number;
  /** From the moment at which the request was due to the end of the answer, in milliseconds. */
  ms: number;
}

export interface Client {
  get(path: string): Promise<{ status: number; body: string }>;
  close(): void;
}

/** A client at its own address; status 0 stands for a connection that broke. */
export function createClient(base: string, localAddress: string, maxSockets: number): Client {
  const agent = new Agent({ keepAlive: true, maxSockets });
  return {
    get: (path) =>
      new Promise((resolve) => {
        const failed = () => resolve({ status: 0, body: "" });
        get(base + path, { agent, localAddress }, (answer) => {
          let body = "";
          answer.setEncoding("utf8").on("data", (text: string) => {
            body += text;
          });
          answer.on("end", () => resolve({ status: answer.statusCode ?? 0, body })).on("error", failed);
        }).on("error", failed);
      }),
    close: () => agent.destroy(),
  };
}

/** Open loop: requests on a fixed schedule, so that a slow answer delays no other request. */
export async function requestAtRate(
  client: Client,
  nextPath: () => string,
  { perSecond, seconds }: { perSecond: number; seconds: number },
): Promise<Answer[]> {
  const answers: Promise<Answer>[] = [];
  // Clients that start together would otherwise ask at the same moments.
  const startedAt = performance.now() + Math.random() * (1_000 / perSecond);
  for (let request = 0; request < perSecond * seconds; request++) {
    const due = startedAt + (request * 1_000) / perSecond;
    await delay(Math.max(0, due - performance.now()));
    const path = nextPath();
    answers.push(client.get(path).then(({ status }) => ({ path, status, ms: performance.now() - due })));
  }
  return await Promise.all(answers);
}

/** Closed loop on several connections: each sends its next request after the answer, and after a refusal (429) a moment later. */
export async function requestAtOnce(
  client: Client,
  nextPath: () => string,
  { connections, signal }: { connections: number; signal: AbortSignal },
): Promise<Answer[]> {
  const answers: Answer[] = [];
  async function loop(): Promise<void> {
    while (!signal.aborted) {
      const [path, due] = [nextPath(), performance.now()];
      const { status } = await client.get(path);
      answers.push({ path, status, ms: performance.now() - due });
      if (status === 429 || status === 0) await delay(100);
    }
  }
  await Promise.all(Array.from({ length: connections }, loop));
  return answers;
}

/** Milliseconds within which this share of the answers came. */
export function percentile(answers: readonly Answer[], share: number): number {
  const sorted = answers.map(({ ms }) => ms).toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/** Answers by status, such as `200 × 3000, 429 × 12`. */
export function statuses(answers: readonly Answer[]): string {
  const counts = new Map<number, number>();
  for (const { status } of answers) counts.set(status, (counts.get(status) ?? 0) + 1);
  return [...counts].map(([status, count]) => `${status} × ${count}`).join(", ");
}
