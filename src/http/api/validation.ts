import type { FastifySchemaCompiler } from "fastify";
import { z } from "zod";
import { didYouMean } from "../../process/did-you-mean.ts";
import { type ParameterFault, Problem } from "../problem.ts";
import { isJoined } from "./parameter-types.ts";

const longestShown = 100;

/**
 * Validates the parameters of a request with a zod object. A URL contains only text, so numbers, booleans and lists are parsed first, by
 * the type that the schema expects; the schema, and with it the OpenAPI document, keeps the real types.
 */
export const validatorCompiler: FastifySchemaCompiler<z.ZodType> = ({ schema }) => {
  const shape = schema instanceof z.ZodObject ? schema.shape : {};
  return (data: unknown) => {
    const given = parseTexts(shape, data as Record<string, unknown>);
    const result = schema.safeParse(given);
    return result.success ? { value: result.data } : { error: problemOf(faultsOf(result.error, given, shape)) };
  };
};

/**
 * Parameters given as texts, as `validatorCompiler` parses those of a request.
 *
 * @throws {Problem} 400 with a sentence for each fault.
 */
export function parseParameters<T extends z.ZodObject>(schema: T, given: Record<string, unknown>): z.output<T> {
  const values = parseTexts(schema.shape, given);
  const result = schema.safeParse(values);
  if (result.success) return result.data;
  throw problemOf(faultsOf(result.error, values, schema.shape));
}

/** A problem document with a sentence for each fault. */
export function problemOf(faults: ParameterFault[]): Problem {
  const sentences = faults.map(({ detail }) => (detail.endsWith("?") ? detail : `${detail}.`));
  return new Problem(400, sentences.join(" "), { errors: faults });
}

/** A value as messages show it: quoted, and shortened when it is long. */
export function quoted(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length <= longestShown ? text : `${text.slice(0, longestShown).toWellFormed()}…`;
}

type Shape = Record<string, unknown>;

function parseTexts(shape: Shape, data: Record<string, unknown> | null): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(data ?? {}).map(([name, value]) => {
      const expected = Object.hasOwn(shape, name) ? shape[name] : undefined;
      return [name, expected instanceof z.ZodType ? parseText(unwrapped(expected), value) : value];
    }),
  );
}

/** A text that cannot be parsed is returned unchanged, so that the schema rejects it. */
function parseText(expected: z.ZodType, value: unknown): unknown {
  if (expected instanceof z.ZodArray) {
    const values = Array.isArray(value) ? value : [value];
    const items = isJoined(expected) ? values.flatMap((item) => String(item).split(",")) : values;
    return items.map((item) => parseText(expected.element as z.ZodType, item));
  }
  if (expected instanceof z.ZodNumber) return typeof value === "string" && /^\d+$/.test(value) ? Number(value) : value;
  if (expected instanceof z.ZodBoolean && (value === "true" || value === "false")) return value === "true";
  return value;
}

function unwrapped(type: z.ZodType): z.ZodType {
  if (type instanceof z.ZodOptional || type instanceof z.ZodDefault) return unwrapped(type.unwrap() as z.ZodType);
  return type;
}

/** One fault for each parameter: of several of one, the first. */
function faultsOf({ issues }: z.ZodError, given: Record<string, unknown>, shape: Shape): ParameterFault[] {
  const faults = new Map<string, string>();
  for (const issue of issues) {
    if (issue.code === "unrecognized_keys") {
      for (const name of issue.keys) faults.set(name, unknownParameter(name, Object.keys(shape)));
      continue;
    }
    const parameter = String(issue.path[0] ?? "");
    if (!faults.has(parameter)) faults.set(parameter, `${parameter} ${ruleOf(issue, given)}`);
  }
  return [...faults].map(([parameter, detail]) => ({ parameter, detail }));
}

function unknownParameter(name: string, known: readonly string[]): string {
  return `unknown parameter ${name.slice(0, longestShown).toWellFormed()}${didYouMean(name, known)}`;
}

/** `must be true or false, not "yes"`, with the nearest value of a closed set. */
function ruleOf(issue: z.core.$ZodIssue, given: Record<string, unknown>): string {
  const value = issue.path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown>)[key], given);
  // The value of a list that is too long is the list.
  if (issue.code === "too_big" && issue.origin === "array") return issue.message;
  const values = issue.code === "invalid_value" ? issue.values.map(String) : [];
  return `${issue.message}, not ${quoted(value)}${didYouMean(String(value), values, quoted)}`;
}
