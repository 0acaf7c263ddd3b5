/** Where the files between the stages are kept. Locations are `s3://bucket/key` or `file:///path`. */
export interface ObjectStore {
  /** Writes the whole object or nothing; an object of that key is replaced. */
  put(key: string, body: string, contentType: string): Promise<string>;
  /** @throws {ImportRejectedError} when there is no such object, or the location belongs to another store. */
  get(location: string): Promise<string>;
  /** The key of a location of this store. @throws {ImportRejectedError} */
  keyOf(location: string): string;
}
