/**
 * An HTTP server of the host on 127.0.0.1:3000, and a UDP echo there. Prints "ready"; ends with its stdin.
 *
 * @module
 */
import { createSocket } from "node:dgram";
import { createServer } from "node:http";
import process from "node:process";

const echo = createSocket("udp4");
echo.on("message", (data, { port, address }) => echo.send(data, port, address));
await new Promise<void>((done) => echo.bind(3000, "127.0.0.1", done));
createServer((_request, response) => response.end("from the host"))
  .listen(3000, "127.0.0.1", () => console.log("ready"));
process.stdin.on("end", () => process.exit(0)).resume();
