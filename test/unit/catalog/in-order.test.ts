import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { inOrder } from "../../../src/catalog/in-order.ts";

const inner = z.object({ id: z.int(), name: z.string().nullable() });
const schema = z.object({
  name: z.string(),
  inner: inner.nullable(),
  list: z.array(inner).optional(),
  texts: z.record(z.string(), inner),
  any: z.unknown(),
});

describe("inOrder", () => {
  it("orders keys at every depth as the schema has them, and those of records by name", () => {
    const value = {
      any: { b: 1, a: 2 },
      texts: { b: { name: "x", id: 1 }, a: { name: null, id: 2 } },
      list: [{ name: "y", id: 3 }],
      inner: null,
      name: "z",
    };
    expect(JSON.stringify(inOrder(schema, value))).toBe(
      '{"name":"z","inner":null,"list":[{"id":3,"name":"y"}],"texts":{"a":{"id":2,"name":null},"b":{"id":1,"name":"x"}},' +
        '"any":{"b":1,"a":2}}',
    );
  });

  it("returns a value of any shape unchanged but for the order of its keys", () => {
    fc.assert(
      fc.property(
        fc.jsonValue(),
        fc.record({ inner: fc.jsonValue(), texts: fc.jsonValue(), list: fc.jsonValue() }),
        (any, odd) => {
          for (const value of [any, odd, { ...odd, toString: any, more: any }]) {
            expect(inOrder(schema, value as never)).toEqual(value);
          }
        },
      ),
    );
  });

  it("keeps a key named __proto__ of a record", () => {
    const texts = JSON.parse('{"__proto__": {"name": null, "id": 1}, "a": {"name": null, "id": 2}}');
    const ordered = inOrder(schema, { name: "", inner: null, texts, any: null });
    expect(JSON.stringify(ordered.texts)).toBe('{"__proto__":{"id":1,"name":null},"a":{"id":2,"name":null}}');
  });
});
