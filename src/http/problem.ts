import { STATUS_CODES } from "node:http";
import type { FastifyReply } from "fastify";
import { z } from "zod";

const faultExample = { parameter: "tag", detail: 'unknown tag "Puzle"; did you mean "Puzzle"?' };
const parameterFault = z
  .object({ parameter: z.string(), detail: z.string() })
  .meta({ id: "ParameterFault", examples: [faultExample] });
export type ParameterFault = z.infer<typeof parameterFault>;

/** Body of every error reply: `application/problem+json` (RFC 9457). */
export const problem = z
  .object({
    type: z.literal("about:blank"),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    errors: z.array(parameterFault).optional().meta({ description: "one entry per invalid parameter" }),
  })
  .meta({
    id: "Problem",
    examples: [
      { type: "about:blank", title: "Bad Request", status: 400, detail: faultExample.detail, errors: [faultExample] },
    ],
  });

export interface ProblemDetails {
  /** One entry per invalid parameter. */
  errors?: ParameterFault[];
  /** Sent as `Retry-After`: seconds until the same request may succeed. */
  retryAfterSeconds?: number;
}

/** An expected answer to a request: the error handler sends its message as a problem document and logs nothing. */
export class Problem extends Error {
  override readonly name = "Problem";
  readonly statusCode: number;
  readonly errors: ParameterFault[] | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(statusCode: number, detail: string, { errors, retryAfterSeconds }: ProblemDetails = {}) {
    super(detail);
    this.statusCode = statusCode;
    this.errors = errors;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

export const problemType = "application/problem+json";

export function sendProblem(reply: FastifyReply, status: number, detail: string, errors?: ParameterFault[]) {
  return reply
    .code(status)
    .type(problemType)
    .serializer((body: unknown) => String(body))
    .send(problemText(status, detail, errors));
}

/** The problem document, for answers that Fastify does not send. */
export function problemText(status: number, detail: string, errors?: ParameterFault[]): string {
  const title = STATUS_CODES[status] ?? "Error";
  return JSON.stringify({ type: "about:blank", title, status, detail, ...(errors && { errors }) });
}
