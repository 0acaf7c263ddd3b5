import { randomUUID } from "node:crypto";
import tls from "node:tls";
import { generate } from "selfsigned";

/** A throwaway certificate authority that issues a certificate for whatever host a client asks for. */
export interface Certificates {
  caPem: string;
  /** For `tls.createServer({ SNICallback })`. */
  contextFor(host: string): Promise<tls.SecureContext>;
}

const shared = { keyType: "ec", curve: "P-256", algorithm: "sha256" } as const;

export async function createCertificates(): Promise<Certificates> {
  // Two authorities of the same name in one process would be confused with each other.
  const authority = await generate([{ name: "commonName", value: `Simulated Steam ${randomUUID()}` }], {
    ...shared,
    extensions: [
      { name: "basicConstraints", cA: true, critical: true },
      { name: "keyUsage", keyCertSign: true, cRLSign: true, critical: true },
    ],
  });
  const contexts = new Map<string, Promise<tls.SecureContext>>();

  const issue = async (host: string) => {
    const leaf = await generate([{ name: "commonName", value: host }], {
      ...shared,
      ca: { key: authority.private, cert: authority.cert },
      extensions: [
        { name: "basicConstraints", cA: false },
        { name: "keyUsage", digitalSignature: true },
        { name: "extKeyUsage", serverAuth: true },
        { name: "subjectAltName", altNames: [{ type: 2, value: host }] },
      ],
    });
    return tls.createSecureContext({ key: leaf.private, cert: leaf.cert });
  };

  return {
    caPem: authority.cert,
    contextFor(host) {
      let context = contexts.get(host);
      if (!context) {
        context = issue(host);
        contexts.set(host, context);
      }
      return context;
    },
  };
}
