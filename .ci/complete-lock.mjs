// Names in package-lock.json the platform packages that npm left out.
//
// `npm install` writes only the optional packages that its registry can serve; where a mirror holds those of one platform
// alone, the lock lacks the others, and `npm ci` refuses such a lock everywhere. Run after a change of dependencies:
//     node .ci/complete-lock.mjs
import { readFileSync, writeFileSync } from "node:fs";

const file = new URL("../package-lock.json", import.meta.url);
const lock = JSON.parse(readFileSync(file, "utf8"));
const systems = {
  android: "android",
  darwin: "darwin",
  freebsd: "freebsd",
  linux: "linux",
  win32: "win32",
  windows: "win32",
};
const processors = ["arm64", "x64", "arm", "ia32", "ppc64", "riscv64", "s390x"];
let added = 0;

for (const owner of Object.values({ ...lock.packages })) {
  for (const [name, version] of Object.entries(owner.optionalDependencies ?? {})) {
    const path = `node_modules/${name}`;
    const words = name.split(/[-/]/);
    const os = words.map((word) => systems[word]).find(Boolean);
    const cpu = words.find((word) => processors.includes(word));
    if (lock.packages[path] || !os || !cpu) continue;
    lock.packages[path] = {
      version: version.replace(/^[v^~]/, ""),
      cpu: [cpu],
      ...(owner.dev && { dev: true }),
      ...(words.includes("musl") && { libc: ["musl"] }),
      optional: true,
      os: [os],
    };
    added += 1;
  }
}

lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`${added} platform packages named`);
