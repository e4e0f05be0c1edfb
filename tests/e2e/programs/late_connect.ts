/**
 * Connects, and looks whether that has succeeded only when the peer has said everything and closed, as
 * a program does whose event loop is busy: `HOST PORT COUNT`. Prints each different outcome with how
 * often there was one.
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

/** One byte there and back on another connection: what the stack had sent before has arrived. */
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
