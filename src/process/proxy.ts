import http from "node:http";

/**
 * Makes `fetch` and `http(s)` honour HTTPS_PROXY, HTTP_PROXY and NO_PROXY. App info can come over plain HTTP, so a proxy that is given
 * for HTTPS alone serves both.
 */
export function honourProxy(): void {
  const { HTTPS_PROXY, https_proxy, HTTP_PROXY, http_proxy } = process.env;
  const httpsProxy = HTTPS_PROXY ?? https_proxy;
  const httpProxy = HTTP_PROXY ?? http_proxy ?? httpsProxy;
  if (httpsProxy === undefined && httpProxy === undefined) return;
  http.setGlobalProxyFromEnv({ ...process.env, HTTPS_PROXY: httpsProxy, HTTP_PROXY: httpProxy });
}
