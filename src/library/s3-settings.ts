import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { ConfigError } from "../process/errors.ts";

/** Address and region of an S3 store that is not Amazon's: Backblaze B2, Cloudflare R2, MinIO and the like. */
export interface OwnStore {
  endpoint: string;
  region: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The store that the variables and files of the AWS SDK name; null for Amazon's S3. Read here and not by the SDK alone,
 * because a client for such a store needs other options than one for Amazon's, before its first request.
 *
 * In the SDK's order: `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, then `endpoint_url` of the profile's `services` and of
 * the profile. The region, which these stores mostly do not care about, is optional.
 *
 * @throws {ConfigError} when the endpoint is no URL.
 */
export function readOwnStore(env: Environment): OwnStore | null {
  const profile = readProfile(env);
  if (/^true$/i.test(env.AWS_IGNORE_CONFIGURED_ENDPOINT_URLS ?? "")) return null;
  const [name, endpoint] = [
    ["AWS_ENDPOINT_URL_S3", env.AWS_ENDPOINT_URL_S3],
    ["AWS_ENDPOINT_URL", env.AWS_ENDPOINT_URL],
    ["endpoint_url in the AWS profile", profile.endpoint],
  ].find(([, value]) => value?.trim()) ?? ["", undefined];
  if (!endpoint) return null;
  const url = URL.parse(endpoint.trim());
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new ConfigError(`${name} must be a URL such as https://s3.us-west-004.backblazeb2.com; it has no https://.`);
  }
  return { endpoint: url.href.replace(/\/$/, ""), region: regionGiven(env, profile) ?? regionOf(url.hostname) };
}

/** The region of the environment or the profile; null without one. `AWS_DEFAULT_REGION` is what the AWS CLI reads. */
export function readRegion(env: Environment): string | null {
  return regionGiven(env, readProfile(env));
}

function regionGiven(env: Environment, { region }: Profile): string | null {
  return [env.AWS_REGION, region, env.AWS_DEFAULT_REGION].find((value) => value?.trim())?.trim() ?? null;
}

/**
 * The region in a host name such as s3.us-west-004.backblazeb2.com, against which B2 and others check the signature. R2
 * calls its only one `auto`; any other store takes the SDK's customary us-east-1.
 */
function regionOf(host: string): string {
  if (host.endsWith(".r2.cloudflarestorage.com")) return "auto";
  const [, label = ""] = /^s3[.-]([a-z0-9-]+)\.[^.]+\.[a-z]/.exec(host) ?? [];
  return /[a-z]/.test(label) && /[-\d]/.test(label) ? label : "us-east-1";
}

interface Profile {
  endpoint: string | undefined;
  region: string | undefined;
}

/** The part of the SDK's shared files that is needed here. A file that cannot be read is one without profiles. */
function readProfile(env: Environment): Profile {
  const name = env.AWS_PROFILE?.trim() || "default";
  const folder = join(homedir(), ".aws");
  const config = sectionsOf(env.AWS_CONFIG_FILE || join(folder, "config"));
  const credentials = sectionsOf(env.AWS_SHARED_CREDENTIALS_FILE || join(folder, "credentials"));
  const own = config.get(`profile ${name}`) ?? (name === "default" ? config.get(name) : undefined);
  const settings = new Map([...(own ?? []), ...(credentials.get(name) ?? [])]);
  const services = config.get(`services ${settings.get("services")}`);
  return { endpoint: services?.get("s3.endpoint_url") ?? settings.get("endpoint_url"), region: settings.get("region") };
}

/** Sections of an AWS configuration file. An indented setting belongs to the one above it: `s3.endpoint_url`. */
function sectionsOf(path: string): Map<string, Map<string, string>> {
  const sections = new Map<string, Map<string, string>>();
  let section = new Map<string, string>();
  let parent = "";
  for (const line of readIfPossible(path).split(/\r?\n/)) {
    const [, header] = /^\[\s*([^\]]+?)\s*\]/.exec(line) ?? [];
    const [, indent = "", key = "", value = ""] = /^(\s*)([\w.-]+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (header !== undefined) {
      section = new Map();
      sections.set(header.replace(/\s+/g, " "), section);
    } else if (key !== "") {
      if (indent === "") parent = key;
      section.set(indent === "" ? key : `${parent}.${key}`, value);
    }
  }
  return sections;
}

function readIfPossible(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
