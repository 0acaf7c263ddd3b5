import { getProxyForUrl } from "proxy-from-env";
import { type Finding, failed, ok } from "./check.ts";
import { describeNetworkError, type Probed, type ProbeRequest, remedyOfNetworkError } from "./probe.ts";

/** The keys that a request carries. */
export interface Keys {
  /** Names of the variables. */
  names: string;
  /** How to get right ones, as a sentence. */
  remedy: string;
  /** Status codes that certainly mean rejected keys. 403 is the answer to a blocked address, too, unless it is listed. */
  rejectedBy: readonly number[];
}

interface JudgeOptions {
  /** Null for a request without keys. */
  keys: Keys | null;
  blame: "unreachable" | "other";
}

const waitForBlock =
  "A block ends by itself after hours without requests; addresses of clouds may be blocked for good.";

/** Classifies a reply, or the error of a failed connection. */
export function judge(probed: Probed, { url }: ProbeRequest, { keys, blame }: JudgeOptions): Finding {
  const { host } = new URL(url);
  const proxyUrl = getProxyForUrl(url);
  if ("code" in probed) {
    const cause = describeNetworkError(probed.code, proxyUrl);
    return failed(`${host} is unreachable: ${cause}`, blame, remedyOfNetworkError(probed.code, host, proxyUrl));
  }
  const { status, ms } = probed;
  if (status >= 200 && status < 300) return ok(`${host} answered in ${ms} ms`);
  const answered = `${host} answered ${status}`;
  if (keys?.rejectedBy.includes(status)) {
    return failed(`${answered}: it rejects ${keys.names}`, "configuration", keys.remedy);
  }
  if (status === 401 || status === 403) {
    if (keys === null) return failed(`${answered}: it blocks this address`, blame, waitForBlock);
    const either = `${answered}: it rejects ${keys.names}, or it blocks this address, which happens after too many requests (429)`;
    return failed(either, blame, `${waitForBlock} If it does not: ${keys.remedy}`);
  }
  if (status === 407) {
    const remedy = "Write both into HTTPS_PROXY: http://USER:PASSWORD@HOST:PORT.";
    return failed("the proxy requires a user and password (407)", blame, remedy);
  }
  if (status === 429) {
    return failed(
      `${answered}: too many requests from this address`,
      blame,
      "Wait before the next one: a block may follow.",
    );
  }
  const remedy =
    status >= 500 ? "The fault is at the other end: try again later." : "Report it: the request is not accepted.";
  return failed(answered, blame, remedy);
}
