/** The protobuf types that steam-user loads for itself; the file has no types of its own. */
declare module "steam-user/protobufs/generated/_load.js" {
  const types: Readonly<Record<string, object | undefined>>;
  export = types;
}
