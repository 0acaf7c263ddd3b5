import { rm } from "node:fs/promises";
import { join } from "node:path";
import { openPglite } from "../../../src/db/pglite.ts";
import { DatabaseError } from "../../../src/process/errors.ts";
import { silent } from "../templates.ts";
import { fill, withSmallDisk } from "./disk.ts";

const diskMegabytes = 110;
/** One megabyte of write-ahead log, and no row: the log's next file does not fit, and Postgres panics. */
const writeLog = "select pg_logical_emit_message(false, 'soak', repeat('x', 1000000))";
/** More than a file of the log. */
const messages = 40;

/**
 * The embedded database whose write-ahead log meets a full disk, without and with room once its thread is restarted.
 *
 * @returns the violations, in words.
 */
export async function fillLog(report: (line: string) => void): Promise<string[]> {
  const violations: string[] = [];
  for (const getsRoom of [false, true]) {
    await withSmallDisk(diskMegabytes, async (disk) => {
      const { errors, hopeless, answersAgain } = await panic(disk, getsRoom);
      for (const line of [...errors, ...hopeless]) report(line);
      const isRight = getsRoom ? hopeless.length === 0 && answersAgain : hopeless.length === 1 && !answersAgain;
      if (errors.length === 0) violations.push("the full log was not noticed");
      if (!isRight) violations.push(getsRoom ? "it did not work again with room" : "it was not given up without room");
    });
  }
  return violations;
}

async function panic(disk: string, getsRoom: boolean) {
  const hopeless: string[] = [];
  const errors: string[] = [];
  const onHopeless = (reason: string) => hopeless.push(`hopeless: ${reason}`);
  const db = await openPglite({ dataDir: join(disk, "data"), logger: silent, onHopeless });
  const filler = join(disk, "filler");
  await fill(disk, filler);
  for (let message = 0; message < messages && errors.length === 0; message++) {
    try {
      await db.query(writeLog);
    } catch (error) {
      if (!(error instanceof DatabaseError)) throw error;
      errors.push(`${error.fault}: ${error.message}`);
      if (getsRoom) await rm(filler);
    }
  }
  const answersAgain = await db.query(writeLog).then(
    () => true,
    () => false,
  );
  await db.close();
  return { errors, hopeless, answersAgain };
}
