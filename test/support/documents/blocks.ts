/**
 * Fenced code blocks of a Markdown document, with the words behind the language, which say how the block is checked:
 *
 *     ```sh api          each line is a curl request to the read API
 *     ```sql query       a query on Postgres
 *     ```sh run          commands in a fresh clone (test/readme.ts)
 *     ```… answer        what the block before it returns
 *     ```… by-hand       not checked: it needs an account, or Docker
 */
export interface Block {
  language: string;
  check: string | null;
  text: string;
  /** Of its first fence, from 1. */
  line: number;
}

export function readBlocks(markdown: string): Block[] {
  const blocks: Block[] = [];
  const fences = /^( *)```([a-z]*)[ ]?(.*)\n([\s\S]*?)^\1```$/gm;
  for (const { index, 1: indent = "", 2: language = "", 3: check = "", 4: text = "" } of markdown.matchAll(fences)) {
    blocks.push({
      language,
      check: check.trim() || null,
      text: text.replaceAll(new RegExp(`^${indent}`, "gm"), "").trimEnd(),
      line: markdown.slice(0, index).split("\n").length,
    });
  }
  return blocks;
}

/** A block that is checked, with its answer where the document shows one. */
export interface Checked {
  check: string;
  text: string;
  line: number;
  answer: string | null;
}

export function checkedBlocks(markdown: string, check: string): Checked[] {
  const blocks = readBlocks(markdown);
  return blocks.flatMap((block, index) => {
    if (block.check !== check) return [];
    const next = blocks[index + 1];
    return [{ check, text: block.text, line: block.line, answer: next?.check === "answer" ? next.text : null }];
  });
}

/** The commands of a block: a line each, continued by a backslash, without comments. */
export function commandsOf(text: string): string[] {
  return text
    .replaceAll(/\\\n\s*/g, "")
    .split("\n")
    .map((line) => line.replace(/(^|\s+)#.*$/, "").trim())
    .filter((line) => line !== "");
}
