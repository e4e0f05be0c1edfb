/**
 * Connects, and checks the result only after the peer has sent everything and closed, as a program
 * with a busy event loop does: `HOST PORT COUNT`. Prints each distinct outcome and its number.
 *
 * @module
 */
import { once } from "node:events";
import { connect } from "node:net";
import process from "node:process";
import { openLibc } from "../../conformance/linux/libc.ts";
import { KernelSocket } from "../../conformance/linux/sockets.ts";

const [host = "", port = "", count = ""] = process.argv.slice(2);
const libc = await openLibc();

/**
 * A round trip on another connection: afterwards everything that the stack sent before has arrived.
 */
async function roundTrip(): Promise<void> {
  const socket = connect(7, host).resume();
  socket.end("x");
  await once(socket, "close");
}

const outcomes = new Map<string, number>();
const sockets = Array.from({ length: Number(count) }, () => {
  const socket = KernelSocket.bound(libc, "0.0.0.0", 0);
  socket.connect(host, Number(port));
  return socket;
});
while (sockets.some((socket) => !["CLOSE-WAIT", "CLOSED"].includes(socket.info().state))) {
  await roundTrip();
}
await roundTrip();
const chunk = new Uint8Array(100);
for (const socket of sockets) {
  const error = socket.takeError();
  const outcome = `error ${error}, text ${Number(socket.read(chunk)) > 0}, ${socket.read(chunk)}`;
  outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  socket.close();
}
for (const [outcome, times] of outcomes) console.log(`${times} x ${outcome}`);
