import { SecretsProvider } from "@aws-lambda-powertools/parameters/secrets";
import { ConfigError } from "../process/errors.ts";

/** Variables by name. */
export type Secret = Readonly<Record<string, string>>;

/**
 * Reads the secret `SECRET_ARN`, a JSON object of variables. Not cached; empty without `SECRET_ARN`.
 *
 * @throws {ConfigError} when it is anything else. Neither the message nor its cause quotes the secret, as the errors of
 *   JSON.parse and of the library do.
 */
export async function readSecret(): Promise<Secret> {
  const { SECRET_ARN: arn } = process.env;
  if (!arn) return {};
  const stored = await new SecretsProvider().get(arn);
  const secret = variablesIn(typeof stored === "string" ? stored : Buffer.from(stored ?? "").toString("utf8"));
  if (secret === null) {
    throw new ConfigError(
      `The secret ${arn} must be a JSON object of variables, {"STEAM_API_KEY": "…", …}; it is not.`,
    );
  }
  return secret;
}

/** Null for anything but an object with names of variables and simple values. */
function variablesIn(text: string): Secret | null {
  try {
    const secret: unknown = JSON.parse(text);
    if (typeof secret !== "object" || secret === null || Array.isArray(secret)) return null;
    const entries = Object.entries(secret);
    const isVariable = ([name, value]: [string, unknown]) =>
      /^[A-Z][A-Z0-9_]*$/.test(name) && ["string", "number", "boolean"].includes(typeof value);
    return entries.every(isVariable) ? Object.fromEntries(entries.map(([name, value]) => [name, String(value)])) : null;
  } catch {
    return null;
  }
}
