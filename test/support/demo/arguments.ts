import { didYouMean } from "../../../src/process/did-you-mean.ts";

/** The words of `npm run demo`. */
export interface DemoOptions {
  /** Apps that Steam has. */
  apps: number;
  /** Follow changes after the load, until Ctrl-C. */
  keep: boolean;
  /** Some apps fail. */
  failing: boolean;
  /** Steam goes away for a while. */
  outage: boolean;
}

type Switch = Exclude<keyof DemoOptions, "apps">;

const switches = ["keep", "failing", "outage"] as const satisfies readonly Switch[];
const defaultApps = 3_000;
const mostApps = 100_000;

export const demoUsage = `npm run demo [NUMBER] [keep] [failing] [outage]

  NUMBER   apps that the simulated Steam has: ${defaultApps} unless given, at most ${mostApps}
  keep     then follows changes, with the dashboard, until Ctrl-C
  failing  some apps fail, as on a bad day
  outage   Steam goes away for a while, and comes back

For example: npm run demo keep 12000
`;

/**
 * Reads the words in any order, with or without dashes. npm keeps options that stand before a `--` for itself and hands
 * them over as variables: `npm run demo --keep 12000` is `npm_config_keep=12000`.
 *
 * @returns the fault in words for a word that it does not know; "help" for help.
 */
export function readDemoWords(
  words: readonly string[],
  env: Readonly<Record<string, string | undefined>> = {},
): DemoOptions | { fault: string } | "help" {
  const options: DemoOptions = { apps: defaultApps, keep: false, failing: false, outage: false };
  const numbers: string[] = [];
  for (const word of [...words, ...wordsOfNpm(env)]) {
    const plain = word.replace(/^-+/, "").toLowerCase();
    if (plain === "help" || plain === "h") return "help";
    if (/^\d[\d,_]*$/.test(plain)) numbers.push(word);
    else if (isSwitch(plain)) options[plain] = true;
    else return { fault: `"${word}" is no word of the demo${didYouMean(plain, switches)}` };
  }
  const [number, second] = numbers;
  if (second !== undefined) return { fault: `${number} and ${second}: one number of apps is enough` };
  if (number === undefined) return options;
  const apps = Number(number.replace(/[,_]/g, ""));
  if (apps < 1 || apps > mostApps) return { fault: `${number} apps: expected 1 to ${mostApps}` };
  return { ...options, apps };
}

const isSwitch = (word: string): word is Switch => (switches as readonly string[]).includes(word);

function wordsOfNpm(env: Readonly<Record<string, string | undefined>>): string[] {
  return switches.flatMap((name) => {
    const value = env[`npm_config_${name}`];
    if (value === undefined || value === "" || value === "false") return [];
    return value === "true" ? [name] : [name, value];
  });
}
