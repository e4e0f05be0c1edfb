/**
 * An echo service of the host: `host_echo.ts PORT`.
 *
 * @module
 */
import { createServer } from "node:net";
import process from "node:process";

const server = createServer({ allowHalfOpen: true }, (socket) => {
  socket.on("error", () => {});
  socket.pipe(socket);
});
server.listen(Number(process.argv[2]), "127.0.0.1", () => console.log("listening"));
