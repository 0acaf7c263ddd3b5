import type { FastifySchemaCompiler } from "fastify";
import { z } from "zod";
import { type ParameterFault, Problem } from "../problem.ts";

/**
 * Validates the parameters of a request with a zod object. A URL contains only text, so numbers, booleans and lists are parsed first, by
 * the type that the schema expects; the schema, and with it the OpenAPI document, keeps the real types.
 */
export const validatorCompiler: FastifySchemaCompiler<z.ZodType> = ({ schema, httpPart }) => {
  return (data: unknown) => {
    const given = schema instanceof z.ZodObject ? parseTexts(schema, data as Record<string, unknown>) : data;
    const result = schema.safeParse(given);
    if (result.success) return { value: result.data };
    const faults = result.error.issues.flatMap(faultsOf);
    const where = httpPart === "params" ? "path" : "query";
    return { error: new Problem(400, `The ${where} is invalid: ${faults.map(format).join("; ")}.`, faults) };
  };
};

function parseTexts(schema: z.ZodObject, data: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(data ?? {}).map(([name, value]) => {
      const expected = schema.shape[name];
      return [name, expected instanceof z.ZodType ? parseText(unwrapped(expected), value) : value];
    }),
  );
}

/** A text that cannot be parsed is returned unchanged, so that the schema rejects it. */
function parseText(expected: z.ZodType, value: unknown): unknown {
  if (expected instanceof z.ZodArray) return Array.isArray(value) ? value : [value];
  if (expected instanceof z.ZodNumber) return typeof value === "string" && /^\d+$/.test(value) ? Number(value) : value;
  if (expected instanceof z.ZodBoolean && (value === "true" || value === "false")) return value === "true";
  return value;
}

function unwrapped(type: z.ZodType): z.ZodType {
  if (type instanceof z.ZodOptional || type instanceof z.ZodDefault) return unwrapped(type.unwrap() as z.ZodType);
  return type;
}

function faultsOf(issue: z.core.$ZodIssue): ParameterFault[] {
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((parameter) => ({ parameter, detail: "unknown parameter" }));
  }
  return [{ parameter: String(issue.path[0] ?? ""), detail: issue.message }];
}

const format = ({ parameter, detail }: ParameterFault) => (parameter === "" ? detail : `${parameter}: ${detail}`);
