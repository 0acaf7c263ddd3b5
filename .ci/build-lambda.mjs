import { rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/** Bundles each Lambda handler into `dist/lambda/<stage>/index.mjs`, the `CodeUri` of template.yaml. */

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
    // CommonJS packages inside the bundle call `require`.
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
    external: ["pg-native"],
    logLevel: "warning",
  });
}
