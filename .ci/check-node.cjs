// Runs before `npm start`, in syntax that every Node reads: an older one would end with a stack trace at the first line of TypeScript.
const { engines } = require("../package.json");
const minimum = engines.node.replace(">=", "");
const { node } = process.versions;
if (node.localeCompare(minimum, "en", { numeric: true }) < 0) {
  console.error(
    `This service needs Node ${minimum} or newer; this is ${node}. Run npm ci without --omit=dev, which installs the right one.`,
  );
  process.exit(2);
}
