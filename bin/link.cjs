"use strict";
/**
 * Runs after `npm ci`: links the launcher into node_modules/.bin, so that `npx steam-pics-sync` runs it at once.
 *
 * A field `bin` in package.json would not do that: npm links the commands of dependencies alone, and for the project's own npx
 * installs the project into its cache first, with warnings about the host's Node. Fails silently: the link is a convenience.
 */
const { symlinkSync } = require("node:fs");
const { join } = require("node:path");

try {
  const launcher = join("..", "..", "bin", "steam-pics-sync.cjs");
  symlinkSync(launcher, join(__dirname, "..", "node_modules", ".bin", "steam-pics-sync"));
} catch {
  // It exists, or this file system has no links.
}
