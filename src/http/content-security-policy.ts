/**
 * Content Security Policy of the pages. All resources come from this server, nothing is evaluated, no script or style is inline. It does
 * not demand HTTPS (`upgrade-insecure-requests`), because a service without a TLS proxy serves its pages over plain HTTP.
 *
 * @param changes Directives that replace a default or are added to it.
 */
export function contentSecurityPolicy(changes: Record<string, string> = {}): string {
  return Object.entries({ ...directives, ...changes })
    .map(([name, sources]) => `${name} ${sources}`)
    .join("; ");
}

const directives = {
  "default-src": "'none'",
  "script-src": "'self'",
  "style-src": "'self'",
  "img-src": "'self'",
  "connect-src": "'self'",
  "base-uri": "'none'",
  "form-action": "'none'",
  "frame-ancestors": "'none'",
};
