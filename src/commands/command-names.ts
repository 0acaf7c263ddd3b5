import type { Command } from "commander";
import { didYouMean } from "../process/did-you-mean.ts";
import { ConfigError } from "../process/errors.ts";

const columns = 80;

/**
 * Checks that the first words name a command of `parent`, and of that one if it has commands. commander alone shows the
 * help of the whole program for `nonsense --help`, and suggests without listing.
 *
 * @throws {ConfigError} that suggests the nearest command and lists all of them.
 */
export function checkCommandNames(parent: Command, [name, ...rest]: readonly string[]): void {
  if (name === undefined || name.startsWith("-") || parent.commands.length === 0) return;
  const command = parent.commands.find((each) => each.name() === name);
  if (command === undefined) throw new ConfigError(unknownCommand(parent, name));
  checkCommandNames(command, rest);
}

function unknownCommand(parent: Command, name: string): string {
  const names = parent.commands.map((each) => each.name());
  const group = parent.parent === null ? "" : `${parent.name()} `;
  // Its number alone is what one tries for an app.
  const isAppid = /^\d+$/.test(name) && names.includes("app");
  const hint = isAppid ? `; did you mean app ${name}?` : didYouMean(name, names, (near) => `${group}${near}`);
  return [
    `There is no command "${group}${name}"${hint}`,
    ...listLines(group === "" ? "Commands: " : `Commands of ${parent.name()}: `, names),
    `help ${group}COMMAND explains one of them, --help lists commands and options.`,
  ].join("\n");
}

/** `Commands: a, b, …`, in lines of at most 80 columns. */
function listLines(head: string, names: readonly string[]): string[] {
  const lines: string[] = [];
  let line = head;
  for (const [index, name] of names.entries()) {
    const word = index < names.length - 1 ? `${name}, ` : name;
    if (line.length + word.trimEnd().length > columns) {
      lines.push(line.trimEnd());
      line = "  ";
    }
    line += word;
  }
  return [...lines, line];
}
