import { type DemoApp, demoApps, demoText, madeUp } from "./apps.ts";

/** What happens at the simulated Steam while the demo follows it: changes that make readable events. */

/** One thing that happens to one app. */
export type Happening =
  /** Steam announces a change of the app, whose app info is this text from now on. */
  | { kind: "change"; appid: number; text: string }
  /** The store's app list names it, or no longer. */
  | { kind: "list"; appid: number; isListed: boolean };

type Act = (round: number) => Happening;

/**
 * The happenings, one after the other without end: builds, a release, a rename, verdicts, tags, a delisting. A round takes
 * all of them in turn; the next one changes things back, or further.
 */
export function* story(): Generator<Happening, never> {
  const facts = new Map<number, DemoApp>(demoApps.map((app) => [app.appid, app]));
  const change = (appid: number, changed: (app: DemoApp) => Partial<DemoApp>): Happening => {
    const app = facts.get(appid);
    if (!app) throw new Error(`The demo has no app ${appid}.`);
    const now = { ...app, ...changed(app) };
    facts.set(appid, now);
    return { kind: "change", appid, text: demoText(now) };
  };
  const build = (appid: number) => change(appid, ({ buildId }) => ({ buildId: buildId + 1_811 }));
  const { lantern, comet, orchard, railway, archive } = madeUp;
  const names = [`${orchard.name}: Harvest Edition`, orchard.name];
  const decks = [2, 3, 1] as const;
  const reviews = [
    { score: 8, percentage: 84 },
    { score: 9, percentage: 95 },
    { score: 7, percentage: 78 },
  ];
  const prereleased = [lantern, comet];

  const acts: Act[] = [
    () => build(730),
    // From the third round on, nothing is left to be released.
    (round) => (prereleased[round] ? change(prereleased[round].appid, () => ({ state: "released" })) : build(570)),
    (round) => change(orchard.appid, () => pick("name", names, round)),
    (round) => change(railway.appid, () => pick("deck", decks, round)),
    // For two rounds, since the service reads the list once a minute.
    (round) => ({ kind: "list", appid: archive.appid, isListed: round % 4 >= 2 }),
    (round) => change(railway.appid, () => pick("review", reviews, round)),
    (round) => change(lantern.appid, ({ tags }) => ({ tags: round % 2 === 0 ? [...tags, 492] : tags.slice(0, -1) })),
    () => build(440),
    (round) => change(105_600, () => ({ branches: round % 2 === 0 ? { labor_of_love: 17_055_902 } : {} })),
  ];
  for (let round = 0; ; round += 1) {
    for (const act of acts) yield act(round);
  }
}

function pick<Key extends keyof DemoApp>(key: Key, values: readonly DemoApp[Key][], round: number): Partial<DemoApp> {
  return { [key]: values[round % values.length] } as Partial<DemoApp>;
}
