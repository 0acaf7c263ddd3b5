import { expect, it } from "vitest";
import { createSlots } from "../../../src/db/slots.ts";

const never = new AbortController().signal;

it("gives out as many slots as there are, and the next ones in order of arrival", async () => {
  const slots = createSlots(2);
  const order: number[] = [];
  const take = (n: number) => slots.acquire(never).then(() => void order.push(n));
  await Promise.all([take(1), take(2)]);
  const waiting = [take(3), take(4)];
  await Promise.resolve();
  expect(order).toEqual([1, 2]);
  slots.release();
  await waiting[0];
  expect(order).toEqual([1, 2, 3]);
  slots.release();
  await waiting[1];
  expect(order).toEqual([1, 2, 3, 4]);
});

it("forgets a waiter whose signal aborts, and loses no slot by it", async () => {
  const slots = createSlots(1);
  await slots.acquire(never);
  const { signal, abort } = withAbort();
  const aborted = slots.acquire(signal);
  const next = slots.acquire(never);
  abort();
  await expect(aborted).rejects.toThrow("aborted");
  slots.release();
  await next;
  slots.release();
  await slots.acquire(never);
  await expect(slots.acquire(signal)).rejects.toThrow("aborted");
});

function withAbort() {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort(new Error("aborted")) };
}
