import { formatBulkSummary } from "../../../src/terminal/bulk-summary.ts";

/** What the demo prints beside the output of the service. Every command works as pasted, in the project's folder. */

export interface DemoPlaces {
  dataDir: string;
  /** Base URL of the service. */
  url: string;
  /** The environment through which commands reach the simulated Steam. */
  steamEnv: Readonly<Record<string, string>>;
}

const program = "npx steam-pics-sync";
const beside = (dataDir: string) => `DATA_DIR=${dataDir} ${program}`;

/** While the service follows changes. */
export function followingText({ dataDir, url, steamEnv }: DemoPlaces, projectDir: string): string {
  const { HTTPS_PROXY, NODE_EXTRA_CA_CERTS } = steamEnv;
  return `
The catalog is loaded, and Steam changes every few seconds: a build of
Counter-Strike 2, a release, a rename, verdicts, tags, a delisting.

  ${url}/                        the dashboard
  ${url}/v1/apps/620             Portal 2
  ${url}/v1/events.json          what happened, as a feed
  ${url}/docs                    the API

In another terminal, in ${projectDir}:

  curl '${url}/v1/events?event=build&appid=730&branch=public'
  curl '${url}/v1/apps?tag=Metroidvania&deck=verified'
  ${beside(dataDir)} status
  ${beside(dataDir)} app 620
  HTTPS_PROXY=${HTTPS_PROXY} NODE_EXTRA_CA_CERTS=${NODE_EXTRA_CA_CERTS} \\
    ${beside(dataDir)} fetch 730

Ctrl-C ends the demo.

`;
}

/** After the service has ended with this exit code, null for a signal. */
export function endText(dataDir: string, { keep, code }: { keep: boolean; code: number | null }): string {
  if (code !== 0) return `\nThe service ended with ${code ?? "a signal"}; what it stored stays in ${dataDir}.\n`;
  const next = keep ? "" : "\n`npm run demo keep` goes on: it follows changes, with a dashboard.\n";
  return `
The catalog stays in ${dataDir} until the next demo:

  ${beside(dataDir)} status
  ${beside(dataDir)} app 620
  ${beside(dataDir)} export --format csv --out ${dataDir}-export
  rm -rf ${dataDir}
${next}`;
}

/** A line of the service's output where that is no terminal: the summary of a load as a terminal would have it. */
export function pipedLine(line: string): string {
  if (!line.startsWith("{")) return `${line}\n`;
  const { summary, message } = JSON.parse(line);
  return summary?.by_type === undefined ? `${line}\n` : `${formatBulkSummary(summary)}${message}\n`;
}
