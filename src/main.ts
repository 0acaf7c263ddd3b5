import { holdSignals } from "./process/early-signals.ts";

/** The entry. Everything else is loaded after the signal handlers exist, since an import at the top would run before them. */
holdSignals();
const { run } = await import("./commands/run.ts");
await run(process.argv.slice(2));
