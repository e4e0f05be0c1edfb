/**
 * Sends each of some datagrams again and again: `send_datagrams.ts HOST PORT COUNT HEX...`. Prints "sent" at the end.
 *
 * @module
 */
import { createSocket } from "node:dgram";
import process from "node:process";

const [host = "", port = "", count = "", ...texts] = process.argv.slice(2);
const datagrams = texts.map((hex) =>
  Uint8Array.from(hex.match(/../g) ?? [], (byte) => parseInt(byte, 16))
);
const socket = createSocket("udp4");
for (let i = 0; i < Number(count); i++) {
  await Promise.all(
    datagrams.map((datagram) =>
      new Promise<void>((resolve) => socket.send(datagram, Number(port), host, () => resolve()))
    ),
  );
}
console.log("sent");
socket.close();
