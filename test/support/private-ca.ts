import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface KeyPair {
  cert: string;
  key: string;
}

/** A private certificate authority, made by openssl. */
export interface PrivateCa {
  /** File of its certificate (PEM). */
  file: string;
  /** A server certificate for a DNS name; a negative number of days makes one that has expired. */
  issue(name: string, options?: { days?: number; withChain?: boolean }): KeyPair;
  remove(): void;
}

const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

export function createPrivateCa(): PrivateCa {
  const folder = mkdtempSync(join(tmpdir(), "spsync-ca-"));
  const path = (name: string) => join(folder, name);
  const read = (name: string) => readFileSync(path(name), "utf8");
  const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: folder, stdio: "pipe" });
  openssl("req", "-x509", ...newKey, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Private CA", "-days", "2");
  return {
    file: path("ca.pem"),
    issue(name, { days = 2, withChain = false } = {}) {
      openssl("req", ...newKey, "-keyout", "leaf.key", "-out", "leaf.csr", "-subj", `/CN=${name}`);
      writeFileSync(path("names"), `subjectAltName=DNS:${name}`);
      const authority = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"];
      openssl(
        ...["x509", "-req", "-in", "leaf.csr", "-out", "leaf.pem", ...authority],
        ...["-days", String(days), "-extfile", "names"],
      );
      return { cert: read("leaf.pem") + (withChain ? read("ca.pem") : ""), key: read("leaf.key") };
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** A certificate that signs itself. */
export function selfSigned(name: string): KeyPair {
  const folder = mkdtempSync(join(tmpdir(), "spsync-cert-"));
  try {
    const out = ["-keyout", "key", "-out", "cert", "-subj", `/CN=${name}`, "-addext", `subjectAltName=DNS:${name}`];
    execFileSync("openssl", ["req", "-x509", ...newKey, ...out, "-days", "2"], { cwd: folder, stdio: "pipe" });
    return { cert: readFileSync(join(folder, "cert"), "utf8"), key: readFileSync(join(folder, "key"), "utf8") };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
