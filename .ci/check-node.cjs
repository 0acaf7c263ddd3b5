// Runs before `npm start`, in syntax that every Node reads: an older one would end with a stack trace at the first line of TypeScript.
const { isAtLeast, shortfallOf } = require("../bin/find-node.cjs");
const { engines } = require("../package.json");
const minimum = engines.node.replace(">=", "");
const { node } = process.versions;
if (!isAtLeast(node, minimum)) {
  console.error(shortfallOf(node, minimum));
  process.exit(2);
}
