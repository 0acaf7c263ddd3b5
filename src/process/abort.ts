/**
 * A new abort controller that also aborts with `parent`, with the parent's reason, and at once if the parent is aborted
 * already. `unlink` removes the listener; it is safe to call twice. Used instead of `AbortSignal.any`, because what
 * that makes of a signal that lives as long as the process is not garbage collected.
 */
export function linkedAbort(parent: AbortSignal | undefined): { controller: AbortController; unlink(): void } {
  const controller = new AbortController();
  const forward = () => controller.abort(parent?.reason);
  if (parent?.aborted) forward();
  else parent?.addEventListener("abort", forward, { once: true });
  return { controller, unlink: () => parent?.removeEventListener("abort", forward) };
}
