import { z } from "zod";

type Order = (value: unknown) => unknown;

/** By schema; null for a schema without keys of its own, whose values stay as they are. */
const orders = new WeakMap<z.ZodType, Order | null>();

/**
 * Copies a value with the keys of each object in the order of its schema, and those of each record sorted: jsonb keeps no order. Keys that
 * the schema does not know come last, and a value of another shape than the schema's stays as it is: nothing is validated here.
 */
export function inOrder<T>(schema: z.ZodType<T>, value: T): T {
  const order = orderOf(schema);
  return order === null ? value : (order(value) as T);
}

function orderOf(schema: z.ZodType): Order | null {
  const known = orders.get(schema);
  if (known !== undefined) return known;
  const order = createOrder(schema);
  orders.set(schema, order);
  return order;
}

function createOrder(schema: z.ZodType): Order | null {
  if (schema instanceof z.ZodNullable || schema instanceof z.ZodOptional) return orderOf(schema.unwrap() as z.ZodType);
  if (schema instanceof z.ZodObject) return orderOfObject(schema);
  if (schema instanceof z.ZodRecord) return orderOfRecord(orderOf(schema.valueType as z.ZodType));
  if (!(schema instanceof z.ZodArray)) return null;
  const item = orderOf(schema.element as z.ZodType);
  return item && ((value) => (Array.isArray(value) ? value.map(item) : value));
}

function orderOfObject({ shape }: z.ZodObject): Order {
  const fields = Object.entries(shape).map(([key, field]) => [key, orderOf(field as z.ZodType)] as const);
  return (value) => {
    if (!isObject(value)) return value;
    const ordered: Record<string, unknown> = {};
    for (const [key, order] of fields) {
      const field = value[key];
      if (field !== undefined) ordered[key] = order === null ? field : order(field);
    }
    for (const key in value) {
      if (Object.hasOwn(shape, key)) continue;
      // Not by assignment: a key may be `__proto__`.
      Object.defineProperty(ordered, key, { value: value[key], enumerable: true, configurable: true, writable: true });
    }
    return ordered;
  };
}

function orderOfRecord(order: Order | null): Order {
  return (value) => {
    if (!isObject(value)) return value;
    return Object.fromEntries(
      Object.keys(value)
        .sort()
        .map((key) => [key, order === null ? value[key] : order(value[key])]),
    );
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
