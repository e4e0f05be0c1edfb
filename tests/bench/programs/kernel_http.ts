/**
 * The runtime's own HTTP server, on the kernel's sockets: `kernel_http.ts PORT`.
 *
 * @module
 */
import process from "node:process";
import app from "./hello.ts";

/** The used part of the two runtimes. */
interface Host {
  Bun?: { serve(options: { port: number; fetch(): Response }): unknown };
  Deno?: { serve(options: { port: number; onListen(): void }, fetch: () => Response): unknown };
}

const port = Number(process.argv[2]);
const host = globalThis as unknown as Host;
if (host.Bun !== undefined) host.Bun.serve({ port, fetch: app.fetch });
else host.Deno!.serve({ port, onListen() {} }, app.fetch);
console.log("ready");
process.stdin.once("end", () => process.exit(0)).resume();
