import pg from "pg";

/** Methods of pg's connection during a COPY, which its types lack. */
interface CopyConnection {
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
}

interface CopyHandlers {
  handleCopyInResponse(connection: CopyConnection): void;
  handleCopyData(message: { chunk: Buffer }): void;
}

/** Runs `copy … from stdin` with `rows`, sent as one chunk. */
export async function copyFrom(client: pg.Client, sql: string, rows: Buffer): Promise<void> {
  await copy(client, sql, {
    handleCopyInResponse(connection) {
      connection.sendCopyFromChunk(rows);
      connection.endCopyFrom();
    },
    handleCopyData() {},
  });
}

/** Runs `copy … to stdout` and returns its text. */
export async function copyTo(client: pg.Client, sql: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  await copy(client, sql, {
    handleCopyInResponse() {},
    handleCopyData: ({ chunk }) => chunks.push(Buffer.from(chunk)),
  });
  return Buffer.concat(chunks);
}

function copy(client: pg.Client, sql: string, handlers: CopyHandlers): Promise<void> {
  return new Promise((resolve, reject) => {
    const query = new pg.Query(sql);
    query.on("end", () => resolve());
    query.on("error", reject);
    client.query(Object.assign(query, handlers));
  });
}
