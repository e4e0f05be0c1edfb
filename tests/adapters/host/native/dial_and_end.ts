/**
 * Prints a server's answers on two successive connections, and exits by itself.
 *
 * @module
 */
import { createServer } from "node:net";
import { dialNative } from "../../../../adapters/host/native/dial.ts";
import { nativeSockets } from "../../../../adapters/host/native/sockets.ts";

const sockets = nativeSockets()!;
const server = createServer((socket) => void socket.end("an answer"));
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const { port } = server.address() as { port: number };
const connection = await dialNative(sockets, { hostname: "127.0.0.1", port });
const chunk = new Uint8Array(100);
const count = await connection.read(chunk);
console.log(new TextDecoder().decode(chunk.subarray(0, count!)));
await connection.closeWrite();
await connection.read(chunk);
await connection.closed;
server.close();
