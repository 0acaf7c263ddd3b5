/**
 * A controller that aborts with its parent signal, and that can also be aborted on its own.
 *
 * Replaces `AbortSignal.any`: on this Node, what that makes of a signal that lives as long as the process is never garbage
 * collected, so each call would leak. Call `unlink` when the work is over: it removes the listener from the parent.
 *
 * @param parent its reason becomes the reason of the new controller, at once if it is aborted already.
 * @returns `unlink` may be called more than once.
 */
export function linkedAbort(parent: AbortSignal | undefined): { controller: AbortController; unlink(): void } {
  const controller = new AbortController();
  const forward = () => controller.abort(parent?.reason);
  if (parent?.aborted) forward();
  else parent?.addEventListener("abort", forward, { once: true });
  return { controller, unlink: () => parent?.removeEventListener("abort", forward) };
}
