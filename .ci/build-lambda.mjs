import { rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/** Bundles each handler into a folder of its own, `dist/lambda/<stage>/index.mjs`, where template.yaml expects it. */

const source = fileURLToPath(new URL("../src/lambda", import.meta.url));
const target = process.argv[2] ?? fileURLToPath(new URL("../dist/lambda", import.meta.url));

await rm(target, { recursive: true, force: true });
for (const stage of ["steam-import", "igdb-enrichment", "database-import"]) {
  await build({
    entryPoints: [join(source, `${stage}.ts`)],
    outfile: join(target, stage, "index.mjs"),
    bundle: true,
    platform: "node",
    target: "node24",
    format: "esm",
    minify: true,
    sourcemap: true,
    // Packages that are no ES modules ask for these.
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
    external: ["pg-native"],
    logLevel: "warning",
  });
}
