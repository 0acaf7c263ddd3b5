import { getProxyForUrl } from "proxy-from-env";
import { type Finding, failed, ok } from "./check.ts";
import { describeNetworkError, type Probed, type ProbeRequest } from "./probe.ts";

interface JudgeOptions {
  /** Meaning of 401 and 403: `blocked` is a block of this address, any other text names the rejected keys. */
  forbidden: string;
  blame: "unreachable" | "other";
}

/** Classifies a reply, or the error of a failed connection. */
export function judge(probed: Probed, { url }: ProbeRequest, { forbidden, blame }: JudgeOptions): Finding {
  const { host } = new URL(url);
  if ("code" in probed) {
    return failed(`${host} is unreachable: ${describeNetworkError(probed.code, getProxyForUrl(url))}`, blame);
  }
  const { status, ms } = probed;
  if (status >= 200 && status < 300) return ok(`${host} answered in ${ms} ms`);
  if (status === 401 || status === 403) {
    return forbidden === "blocked"
      ? failed(`${host} answered ${status}: it blocks this address`, blame)
      : failed(`${host} answered ${status}: it rejects ${forbidden}`, "configuration");
  }
  if (status === 407) return failed("the proxy requires a user and password (407)", blame);
  return failed(`${host} answered ${status}`, blame);
}
