import { connect, type Socket } from "node:net";

/** An HTTP client that does what no library does: it sends half a request, or does not read the answer. */
export interface RawClient {
  socket: Socket;
  /** What it has read. */
  text(): string;
  /** Resolves once the server has closed the connection, with what it had sent. */
  closed: Promise<string>;
}

export interface RawOptions {
  /** Bytes to send at once. */
  send?: string;
  /** Read nothing, so that the server's buffers fill. */
  isStalled?: boolean;
  /** Address of this client: any of 127.0.0.0/8. */
  localAddress?: string;
}

export function request(path: string, headers = ""): string {
  return `GET ${path} HTTP/1.1\r\nhost: test\r\n${headers}\r\n`;
}

/** Resolves once connected. A reset is no error: it is what tests wait for. */
export async function connectRaw(
  base: string,
  { send = "", isStalled = false, localAddress = "127.0.0.1" }: RawOptions = {},
): Promise<RawClient> {
  const { port, hostname: host } = new URL(base);
  const socket = connect({ port: Number(port), host, localAddress });
  let text = "";
  socket.on("error", () => {});
  const closed = new Promise<string>((resolve) => socket.once("close", () => resolve(text)));
  await Promise.race([new Promise((resolve) => socket.once("connect", resolve)), closed]);
  if (isStalled) socket.pause();
  else socket.on("data", (chunk) => (text += chunk));
  socket.write(send);
  return { socket, text: () => text, closed };
}
