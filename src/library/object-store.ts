/** Storage of the files between the stages: a folder or a bucket. Locations are `s3://bucket/key` or `file:///path`. */
export interface ObjectStore {
  /** Writes an object atomically, replacing the one with the same key, and returns its location. */
  put(key: string, body: string, contentType: string): Promise<string>;
  /** @throws {ImportRejectedError} when the object does not exist or the location belongs to another store. */
  get(location: string): Promise<string>;
  /** The key of a location. @throws {ImportRejectedError} when the location belongs to another store. */
  keyOf(location: string): string;
}
