import type { FastifySchemaCompiler } from "fastify";
import { z } from "zod";
import { type ParameterFault, Problem } from "../problem.ts";

/**
 * Checks the parameters of a request against a zod object. A URL holds nothing but texts, so numbers, flags and lists are first
 * read from them, by what the schema expects; the schema itself, and so the OpenAPI document, speaks of the real types.
 */
export const validatorCompiler: FastifySchemaCompiler<z.ZodType> = ({ schema, httpPart }) => {
  return (data: unknown) => {
    const given = schema instanceof z.ZodObject ? readTexts(schema, data as Record<string, unknown>) : data;
    const result = schema.safeParse(given);
    if (result.success) return { value: result.data };
    const faults = result.error.issues.flatMap(faultsOf);
    const where = httpPart === "params" ? "path" : "query";
    return { error: new Problem(400, `The ${where} is not understood: ${faults.map(inWords).join("; ")}.`, faults) };
  };
};

function readTexts(schema: z.ZodObject, data: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(data ?? {}).map(([name, value]) => {
      const expected = schema.shape[name];
      return [name, expected instanceof z.ZodType ? readText(unwrapped(expected), value) : value];
    }),
  );
}

/** What cannot be read stays as it is, so that the schema refuses it. */
function readText(expected: z.ZodType, value: unknown): unknown {
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
    return issue.keys.map((parameter) => ({ parameter, detail: "there is no such parameter" }));
  }
  return [{ parameter: String(issue.path[0] ?? ""), detail: issue.message }];
}

const inWords = ({ parameter, detail }: ParameterFault) => (parameter === "" ? detail : `${parameter}: ${detail}`);
