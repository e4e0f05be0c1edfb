/**
 * The runtime's own servers, on the kernel's sockets: `own_servers.ts CERTIFICATE KEY PORT`. HTTPS on
 * PORT, HTTP/2 over TLS on PORT + 1, WebSocket echo without TLS on PORT + 2. Prints "ready"; ends
 * with its stdin.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import process from "node:process";
import app from "./around_app.ts";

/** The used part of a Deno WebSocket. */
interface ServerSocket {
  binaryType: string;
  onmessage: (event: { data: ArrayBuffer }) => void;
  send(data: ArrayBuffer): void;
}

/** The used part of the two runtimes. */
interface Host {
  Bun?: { serve(options: Readonly<Record<string, unknown>>): unknown };
  Deno?: {
    serve(
      options: Readonly<Record<string, unknown>>,
      fetch: (request: Request) => Response,
    ): unknown;
    upgradeWebSocket(request: Request): { socket: ServerSocket; response: Response };
  };
}

const [certificate = "", keyFile = "", first = ""] = process.argv.slice(2);
const cert = readFileSync(certificate, "utf8");
const key = readFileSync(keyFile, "utf8");
const port = Number(first);
const { Bun, Deno } = globalThis as unknown as Host;
if (Bun !== undefined) {
  Bun.serve({ port, tls: { cert, key }, fetch: app.fetch });
  Bun.serve({ port: port + 1, http2: true, tls: { cert, key }, fetch: app.fetch });
  Bun.serve({
    port: port + 2,
    fetch: (request: Request, server: { upgrade(request: Request): boolean }) =>
      server.upgrade(request) ? undefined : new Response(null, { status: 400 }),
    websocket: {
      message: (socket: { send(data: unknown): void }, data: unknown) => socket.send(data),
    },
  });
} else {
  const deno = Deno!;
  const onListen = () => {};
  deno.serve({ port, cert, key, onListen }, app.fetch);
  deno.serve({ port: port + 1, cert, key, onListen }, app.fetch);
  deno.serve({ port: port + 2, onListen }, (request) => {
    const { socket, response } = deno.upgradeWebSocket(request);
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => socket.send(data);
    return response;
  });
}
console.log("ready");
process.stdin.once("end", () => process.exit(0)).resume();
