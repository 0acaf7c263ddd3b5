import { type ClientRequest, request as httpRequest } from "node:http";
import { Agent, request as httpsRequest } from "node:https";
import { connect } from "node:tls";

const proxyTimeoutMs = 10_000;

/** Node's types leave out `addRequest`, which every request passes before its headers are sent. */
type RequestAgent = Agent & { addRequest(request: ClientRequest, ...rest: unknown[]): void };

/**
 * An HTTPS agent for one connection attempt, through a CONNECT proxy (`http[s]://[user:password@]host[:port]`) when one
 * is given. Its `destroy` also ends a CONNECT that the proxy has not answered: other agents leave that socket open, so
 * that a proxy that hangs would hold one socket per attempt and keep the process from ending.
 */
export function createTunnelAgent(proxyUrl: string | undefined): Agent {
  const agent = new Agent() as RequestAgent;
  const addRequest = agent.addRequest;
  agent.addRequest = (request, ...rest) => {
    if (request.getHeader("upgrade")) limitUpgrade(request);
    addRequest.call(agent, request, ...rest);
  };
  if (!proxyUrl) return agent;
  const proxy = new URL(proxyUrl);
  const request = proxy.protocol === "https:" ? httpsRequest : httpRequest;
  const credentials = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  const abort = new AbortController();

  agent.createConnection = ({ host, port, servername }, callback) => {
    const target = `${host}:${port}`;
    const headers = {
      host: target,
      ...(proxy.username && { "proxy-authorization": `Basic ${Buffer.from(credentials).toString("base64")}` }),
    };
    const { hostname, port: proxyPort } = proxy;
    const { signal } = abort;
    const tunnel = request({
      hostname,
      port: proxyPort,
      method: "CONNECT",
      path: target,
      headers,
      agent: false,
      signal,
    });
    const fail = (error: Error) => callback?.(error, tunnel.socket as NonNullable<typeof tunnel.socket>);
    tunnel.setTimeout(proxyTimeoutMs, () => tunnel.destroy(new Error("the proxy does not answer")));
    tunnel.on("error", fail);
    tunnel.on("connect", (response, socket) => {
      socket.setTimeout(0);
      if (response.statusCode === 200) callback?.(null, connect({ socket, servername: servername ?? host ?? "" }));
      else {
        socket.destroy();
        fail(new Error(`the proxy answered ${response.statusCode} to CONNECT ${target}`));
      }
    });
    tunnel.end();
    return undefined;
  };

  const destroy = agent.destroy.bind(agent);
  agent.destroy = () => {
    abort.abort();
    destroy();
  };
  return agent;
}

/**
 * For websocket13: does not offer compression, which it would inflate without a limit, and ends an upgrade that is answered
 * by a page, which it would collect without a limit.
 */
function limitUpgrade(request: ClientRequest): void {
  request.removeHeader("sec-websocket-extensions");
  request.once("response", ({ statusCode }) => {
    request.destroy(new Error(`the server answered the websocket upgrade with HTTP status ${statusCode}`));
  });
}
