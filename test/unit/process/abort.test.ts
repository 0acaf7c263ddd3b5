import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { linkedAbort } from "../../../src/process/abort.ts";

describe("linkedAbort", () => {
  it("aborts with the parent's reason", () => {
    const parent = new AbortController();
    const { controller } = linkedAbort(parent.signal);
    expect(controller.signal.aborted).toBe(false);
    parent.abort("stop");
    expect(controller.signal.reason).toBe("stop");
  });

  it("is aborted at once when the parent is", () => {
    const { controller, unlink } = linkedAbort(AbortSignal.abort("stopped"));
    expect(controller.signal.reason).toBe("stopped");
    unlink();
  });

  it("aborts on its own without the parent", () => {
    const parent = new AbortController();
    linkedAbort(parent.signal).controller.abort();
    linkedAbort(undefined).controller.abort();
    expect(parent.signal.aborted).toBe(false);
  });

  it("leaves no listener on the parent, after an abort or unlinked twice", () => {
    const parent = new AbortController();
    const { controller, unlink } = linkedAbort(parent.signal);
    linkedAbort(parent.signal);
    unlink();
    unlink();
    expect(getEventListeners(parent.signal, "abort")).toHaveLength(1);
    parent.abort();
    expect(getEventListeners(parent.signal, "abort")).toHaveLength(0);
    expect(controller.signal.aborted).toBe(false);
  });
});
