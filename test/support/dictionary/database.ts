import { randomUUID } from "node:crypto";
import { asSuperuser, type ClusterAddress } from "../cluster.ts";
import { ownerOf, serverTemplate } from "../templates.ts";
import { type Dictionary, describeDatabase } from "./model.ts";

/** The dictionary by the migrations, from a database of its own on that server. */
export async function dictionaryOf(cluster: ClusterAddress): Promise<Dictionary> {
  const template = await serverTemplate(cluster, "supabase", true);
  const name = `dictionary_${randomUUID().replaceAll("-", "")}`;
  await asSuperuser(cluster, "postgres", (client) =>
    client.query(`create database ${name} template ${template} owner ${ownerOf.supabase}`),
  );
  try {
    return await asSuperuser(cluster, name, describeDatabase);
  } finally {
    await asSuperuser(cluster, "postgres", (client) => client.query(`drop database ${name} with (force)`));
  }
}
