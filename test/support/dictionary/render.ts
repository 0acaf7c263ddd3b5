import { type Enumeration, enumerations } from "./enumerations.ts";
import type { Column, Dictionary, Table } from "./model.ts";

/** The parts of docs/data.md that are made from the database, by marker. */
export function renderDictionary(
  dictionary: Dictionary,
): Record<"diagram" | Table["group"] | "enumerations" | "callable", string> {
  const words = enumerations(dictionary);
  const tables = (group: Table["group"]) =>
    dictionary.tables
      .filter((table) => table.group === group)
      .map((table) => renderTable(table, words))
      .join("\n\n");
  return {
    diagram: renderDiagram(dictionary.tables.filter(({ group }) => group === "catalog")),
    catalog: tables("catalog"),
    enumerations: words.map(renderEnumeration).join("\n\n"),
    service: tables("service"),
    library: `${renderDiagram(dictionary.tables.filter(({ group }) => group === "library"))}\n\n${tables("library")}`,
    callable: dictionary.callable.map((name) => `- \`${name}\``).join("\n") || "None.",
  };
}

const headers = ["Column", "Type", "Meaning", "Source", "Example"];

function renderTable({ name, comment, columns }: Table, words: readonly Enumeration[]): string {
  const rows = columns.map((column) =>
    cellsOf(
      column,
      words.filter((each) => each.columns.includes(`${name}.${column.name}`)),
    ),
  );
  const used = headers.map((_, place) => rows.some((cells) => cells[place] !== ""));
  const line = (cells: string[]) => `| ${cells.filter((_, place) => used[place]).join(" | ")} |`;
  return [
    `### ${name}`,
    "",
    wrapped(text(comment ?? "")),
    "",
    line(headers),
    line(headers.map(() => "---")),
    ...rows.map((cells) => line(cells.map((cell) => cell.replaceAll("|", "\\|")))),
  ].join("\n");
}

function cellsOf({ name, type, isKey, isNullable, meaning }: Column, words: readonly Enumeration[]): string[] {
  const about = [
    meaning?.meaning,
    meaning?.values && `Values: ${meaning.values}.`,
    meaning?.unit && `Unit: ${meaning.unit}.`,
    words.length > 0 && `See ${words.map(({ title }) => `[${title}](#${anchor(title)})`).join(", ")}.`,
  ];
  return [
    `\`${name}\``,
    [type, isKey && "key", isNullable && "null"].filter(Boolean).join(", "),
    text(about.filter(Boolean).join(" ")),
    source(meaning?.source ?? ""),
    example(meaning?.example ?? ""),
  ];
}

function renderEnumeration({ title, columns, words, note }: Enumeration): string {
  const held = `In ${columns.map((column) => `\`${column}\``).join(", ")}.`;
  return [
    `### ${title}`,
    "",
    wrapped([held, note].filter(Boolean).join(" ")),
    "",
    "| Value | Meaning |",
    "| --- | --- |",
    ...[...words].map(([code, word]) => `| \`${code}\` | ${text(word)} |`),
  ].join("\n");
}

/** Mermaid: each table with its key and what it refers to. */
function renderDiagram(tables: readonly Table[]): string {
  const lines = tables.flatMap(({ name, columns, references }) => [
    `  ${name} {`,
    ...columns.flatMap((column) => {
      const refers = references.some((reference) => reference.columns.includes(column.name));
      const marks = [column.isKey && "PK", refers && "FK"].filter(Boolean).join(", ");
      return marks === "" ? [] : [`    ${column.type.replace(/\W.*/, "")} ${column.name} ${marks}`];
    }),
    "  }",
    ...references.map(
      (reference) =>
        `  ${reference.table.replaceAll('"', "")} ||--${reference.isOneToOne ? "o|" : "o{"} ${name} : "${reference.columns.join(", ")}"`,
    ),
  ]);
  return ["```mermaid", "erDiagram", ...lines, "```"].join("\n");
}

/** At 120 characters, as all prose of the documents. */
const wrapped = (prose: string) => prose.replace(/(.{1,120})(?: |$)/g, "$1\n").trimEnd();

const anchor = (title: string) => title.toLowerCase().replaceAll(" ", "-");

/** Prose, with names in their case: `_`, `*` and `<` would be Markdown. */
const text = (prose: string) => prose.replace(/[*<]|(?<!\w)_|_(?!\w)/g, "\\$&");

function source(prose: string): string {
  return prose.replace(/\b\w+(\/[\w*]+)+/g, "`$&`");
}

/** A value as code, with its note behind. */
function example(value: string): string {
  const [, code = value, note = ""] = /^(.*) (\([^()]*\))$/s.exec(value) ?? [];
  return code === "" ? "" : `\`${code}\`${note && ` ${note}`}`;
}
