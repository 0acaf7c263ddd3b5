import { PassThrough, Writable } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import { describe, expect, it } from "vitest";
import { ConfigError, DatabaseError } from "../../../src/process/errors.ts";
import { createLogger, createOutput } from "../../../src/process/logger.ts";

function createStream(isTTY: boolean) {
  const stream = new PassThrough();
  Object.assign(stream, { isTTY, columns: 80 });
  return { stream: stream as unknown as NodeJS.WriteStream, text: () => String(stream.read() ?? "") };
}

function createTestLogger(options: { isTTY?: boolean; level?: string; secrets?: string[] } = {}) {
  const { stream, text } = createStream(options.isTTY ?? false);
  const output = createOutput(stream);
  const logger = createLogger({ level: options.level ?? "info", output, secrets: options.secrets ?? [] });
  return { logger, output, stream, text };
}

describe("createLogger", () => {
  it("writes one JSON object per line when the output is no terminal", () => {
    const { logger, text } = createTestLogger();
    logger.info({ apps: 3 }, "stored");
    const line = JSON.parse(text());
    expect(line).toEqual({ level: "info", time: expect.any(String), apps: 3, message: "stored" });
    expect(new Date(line.time).toISOString()).toBe(line.time);
  });

  it("writes readable lines on a terminal, synchronously", () => {
    const { logger, text } = createTestLogger({ isTTY: true });
    logger.warn({ apps: 3 }, "stored");
    expect(stripVTControlCharacters(text())).toMatch(/^\[\d\d:\d\d:\d\d\] WARN: stored {"apps":3}\n$/);
  });

  it("shows control characters of outside texts on a terminal, and forges no line", () => {
    const { logger, text } = createTestLogger({ isTTY: true });
    // Escape sequences (7 and 8 bit), a carriage return, backspaces, a reversed direction.
    const hostile = "\u001b[2J\u001b]0;owned\u0007\u009b31m\rover\b\b\u007f\u202ereversed\u2066 \u061c\nINFO: forged";
    logger.warn({ app: { name: hostile, [hostile]: [hostile] } }, hostile);
    logger.error({ err: new Error(hostile, { cause: new Error(hostile) }) }, "failed");
    // What is left has only the colours of the formatter removed, of a form that the texts do not use.
    const shown = text().replaceAll(/\p{Cc}\[\d+m/gu, "");
    expect(shown).not.toMatch(/[^\P{Cc}\n]|\p{Bidi_Control}/u);
    expect(shown).toContain("\\x1b[2J");
    expect(shown).toContain("\\x9b31m\\x0dover");
    expect(shown).not.toMatch(/^INFO: forged/m);
    expect(shown.match(/^\[\d\d:/gm)).toHaveLength(2);
  });

  it("drops lines below its level", () => {
    const { logger, text } = createTestLogger({ level: "warn" });
    logger.info("no");
    expect(text()).toBe("");
  });

  it("logs an expected error as one sentence, with its stack at debug only, and any other with its stack", () => {
    const linesAt = (level: string) => {
      const stream = new PassThrough();
      const logger = createLogger({ level, output: createOutput(stream as unknown as NodeJS.WriteStream) });
      logger.error(
        { err: new DatabaseError("unreachable", "ECONNREFUSED", "nothing listens"), attempt: 2 },
        "no lease",
      );
      logger.error({ err: new ConfigError("PORT is wrong") }, "PORT is wrong");
      logger.error({ err: Object.assign(new Error("EACCES: denied"), { code: "EACCES", syscall: "open" }) });
      logger.error({ err: new DatabaseError("fatal", "42601", "a bug") }, "odd");
      return String(stream.read())
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as { message: string; err?: { stack: string } });
    };
    const lines = linesAt("info");
    expect(lines.map(({ message }) => message)).toEqual([
      "no lease: nothing listens",
      "PORT is wrong",
      "EACCES: denied",
      "odd",
    ]);
    expect(lines[0]).toMatchObject({ attempt: 2, code: "ECONNREFUSED" });
    expect(lines.map(({ err }) => err !== undefined)).toEqual([false, false, false, true]);
    for (const { err } of linesAt("debug")) expect(err?.stack).toContain("logger.test.ts");
  });

  it("redacts secrets in objects, errors, child loggers and messages", () => {
    const { logger, text } = createTestLogger({ secrets: ["s3cr3t-value"] });
    logger.child({ apiKey: "abcdefgh" }).info(
      {
        config: { database: { serviceKey: 'quo"ted\\key', url: "postgres://u:pa/ss@host/db" } },
        missing_token: true,
      },
      "GET https://api.example/list?key=ABCDEF&format=json",
    );
    logger.error({ err: new Error("no logon with s3cr3t-value") }, "failed");
    const lines = text();
    for (const secret of ["abcdefgh", "quo", "ted", "pa/ss", "ABCDEF", "s3cr3t-value"]) {
      expect(lines).not.toContain(secret);
    }
    const [first] = lines.split("\n").map((line) => line && JSON.parse(line));
    expect(first).toMatchObject({
      config: { database: { serviceKey: "[hidden]", url: "postgres://u:[hidden]@host/db" } },
      missing_token: true,
      message: "GET https://api.example/list?key=[hidden]&format=json",
    });
  });
});

describe("createOutput", () => {
  it("diverts lines to a progress bar, and back", () => {
    const { output, logger, text } = createTestLogger();
    const drawn: string[] = [];
    output.divert((lines) => drawn.push(lines));
    logger.info("above the bar");
    output.divert(null);
    logger.info("after the bar");
    expect(drawn).toEqual([expect.stringContaining("above the bar")]);
    expect(text()).toMatch(/^[^\n]*after the bar[^\n]*\n$/);
  });

  it("flushes to a slow reader, and does not wait for a closed pipe", async () => {
    const taken: string[] = [];
    let take = () => {};
    const stream = new Writable({
      write(chunk, _encoding, done) {
        taken.push(String(chunk));
        take = done;
      },
    }) as unknown as NodeJS.WriteStream;
    const output = createOutput(stream);
    output.write("one\n");
    output.write("two\n");
    let isFlushed = false;
    const flushed = output.flushed().then(() => {
      isFlushed = true;
    });
    take();
    await new Promise((resolve) => setImmediate(resolve));
    expect({ taken, isFlushed }).toEqual({ taken: ["one\n", "two\n"], isFlushed: false });
    take();
    await new Promise((resolve) => setImmediate(resolve));
    take();
    await flushed;

    stream.emit("error", Object.assign(new Error("write EPIPE"), { code: "EPIPE" }));
    await output.flushed();
  });

  it("stops writing when the pipe is closed", () => {
    const { logger, stream, text } = createTestLogger();
    stream.emit("error", Object.assign(new Error("write EPIPE"), { code: "EPIPE" }));
    logger.info("to no reader");
    expect(text()).toBe("");
  });
});
