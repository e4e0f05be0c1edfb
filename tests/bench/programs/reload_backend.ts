/**
 * The server behind the proxies that are compared with a service that reloads: `reload_app.ts` with
 * Bun's own server, and TCP echo. Prints both ports.
 *
 *     bun reload_backend.ts
 *
 * @module
 */
import { createServer } from "node:net";

interface ServerWebSocket {
  send(message: string): void;
}
declare const Bun: {
  serve(options: {
    hostname: string;
    port: number;
    fetch(
      request: Request,
      server: { upgrade(request: Request): boolean },
    ): Response | Promise<Response> | undefined;
    websocket: { message(ws: ServerWebSocket, message: string | Uint8Array): void };
  }): { readonly port: number };
};

const web = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch(request, server) {
    if (server.upgrade(request)) return undefined;
    if (request.method !== "POST") return new Response("hello");
    return request.arrayBuffer().then((body) => new Response(body));
  },
  websocket: {
    message(ws, message) {
      ws.send(`echo of ${message}`);
    },
  },
});
const echo = createServer((socket) => {
  socket.on("error", () => {});
  socket.pipe(socket);
});
echo.listen(0, "127.0.0.1", () => {
  console.log(`ports ${web.port} ${(echo.address() as { port: number }).port}`);
});
