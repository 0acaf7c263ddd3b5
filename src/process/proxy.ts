import http from "node:http";
import { getProxyForUrl } from "proxy-from-env";

/**
 * Makes `fetch`, `http` and `https` use HTTPS_PROXY, HTTP_PROXY and NO_PROXY. App info may come over plain HTTP, so a proxy that is set
 * for HTTPS alone serves both.
 */
export function applyProxySettings(): void {
  const { HTTPS_PROXY, https_proxy, HTTP_PROXY, http_proxy } = process.env;
  const httpsProxy = HTTPS_PROXY ?? https_proxy;
  const httpProxy = HTTP_PROXY ?? http_proxy ?? httpsProxy;
  if (httpsProxy === undefined && httpProxy === undefined) return;
  http.setGlobalProxyFromEnv({ ...process.env, HTTPS_PROXY: httpsProxy, HTTP_PROXY: httpProxy });
}

/** The proxy for a URL by HTTPS_PROXY, HTTP_PROXY and NO_PROXY; null for none. As above, one that is set for HTTPS alone serves both. */
export function proxyFor(url: URL): string | null {
  const asHttps = new URL(url);
  asHttps.protocol = "https:";
  return getProxyForUrl(url.href) || getProxyForUrl(asHttps.href) || null;
}
