/**
 * An HTTP server of the host on 127.0.0.1:3000. Prints "ready"; ends with its stdin.
 *
 * @module
 */
import { createServer } from "node:http";
import process from "node:process";

createServer((_request, response) => response.end("from the host"))
  .listen(3000, "127.0.0.1", () => console.log("ready"));
process.stdin.on("end", () => process.exit(0)).resume();
