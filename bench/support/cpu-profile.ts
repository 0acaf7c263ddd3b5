import { readFileSync } from "node:fs";
import { table } from "./figures.ts";

/**
 * Flame graph as text: CPU time by function, of profiles that V8 wrote (`--cpu-prof`). `CPU_PROFILE` makes a benchmark profile the
 * programs that it runs:
 *
 *     CPU_PROFILE=/tmp/profiles node bench/wire.ts 8000 1 "supabase, given the appids"
 *     node bench/support/cpu-profile.ts /tmp/profiles/*.cpuprofile
 */
interface CpuProfile {
  nodes: ProfileNode[];
  /** Node that was running at each sample, and the microseconds since the sample before. */
  samples: number[];
  timeDeltas: number[];
}

interface ProfileNode {
  id: number;
  callFrame: { functionName: string; url: string; lineNumber: number };
  children?: number[];
}

interface Times {
  selfMs: number;
  /** With what it calls; a recursive call counts once. */
  totalMs: number;
}

const shownRows = 45;

/** CPU time by function, and by package or module of the service. */
export function timesByFunction({ nodes, samples, timeDeltas }: CpuProfile) {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const selfMs = new Map<number, number>();
  for (const [index, id] of samples.entries()) selfMs.set(id, (selfMs.get(id) ?? 0) + (timeDeltas[index] ?? 0) / 1_000);
  const functions = new Map<string, Times>();
  const modules = new Map<string, Times>();

  const add = (times: Map<string, Times>, name: string, open: ReadonlySet<string>, self: number, total: number) => {
    const { selfMs = 0, totalMs = 0 } = times.get(name) ?? {};
    times.set(name, { selfMs: selfMs + self, totalMs: totalMs + (open.has(name) ? 0 : total) });
  };
  const visit = (node: ProfileNode, open: ReadonlySet<string>): number => {
    const [name, module] = [functionName(node), `${moduleName(node)} (all)`];
    const inner = new Set([...open, name, module]);
    const self = selfMs.get(node.id) ?? 0;
    const children = (node.children ?? []).map((id) => byId.get(id)).filter((child) => child !== undefined);
    const total = children.reduce((sum, child) => sum + visit(child, inner), self);
    add(functions, name, open, self, total);
    add(modules, module, open, self, total);
    return total;
  };
  const [root] = nodes;
  const totalMs = root ? visit(root, new Set()) : 0;
  return { totalMs, functions, modules };
}

function functionName({ callFrame }: ProfileNode): string {
  const { functionName, url, lineNumber } = callFrame;
  return url === "" ? functionName : `${functionName || "(anonymous)"} ${shortened(url)}:${lineNumber + 1}`;
}

function moduleName({ callFrame: { url, functionName } }: ProfileNode): string {
  const path = shortened(url);
  if (url === "") return functionName.startsWith("(") ? functionName : "built-in functions";
  if (url.startsWith("node:")) return url;
  return /^src\/[^/]+/.exec(path)?.[0] ?? /^(@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? path;
}

function shortened(url: string): string {
  return url.replace(/^.*\/node_modules\//, "").replace(/^file:.*?\/(src|bench)\//, "$1/");
}

function print(file: string): void {
  const profile = JSON.parse(readFileSync(file, "utf8")) as CpuProfile;
  const { totalMs, functions, modules } = timesByFunction(profile);
  const share = (ms: number) => `${((ms / totalMs) * 100).toFixed(1)} %`;
  const show = (times: Map<string, Times>, by: keyof Times, rows: number) => {
    const sorted = [...times].sort(([, a], [, b]) => b[by] - a[by]).slice(0, rows);
    const cells = sorted.map(([name, { selfMs, totalMs }]) => [name, selfMs, share(selfMs), totalMs, share(totalMs)]);
    console.log(`${table(["", "self ms", "self", "total ms", "total"], cells)}\n`);
  };
  console.log(`## ${file}: ${Math.round(totalMs)} ms\n`);
  show(modules, "selfMs", 20);
  show(functions, "selfMs", shownRows);
  show(functions, "totalMs", shownRows);
}

if (import.meta.main) for (const file of process.argv.slice(2)) print(file);
