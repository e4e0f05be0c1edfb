/**
 * A client of SOCKS 5 on sockets of the kernel: `socks5_udp_client.ts PROXY PORT TARGET PORT`, with
 * IPv4 addresses only. Requests an association, sends "ahoy" to the target through it and prints
 * the answer and its source, or "nothing" after five attempts; then ends the association.
 *
 * @module
 */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect } from "node:net";
import process from "node:process";

const [proxy = "", proxyPort, target = "", targetPort] = process.argv.slice(2);

const control = connect(Number(proxyPort), proxy);
control.write(Uint8Array.of(5, 1, 0));
await once(control, "data");
control.write(Uint8Array.of(5, 3, 0, 1, 0, 0, 0, 0, 0, 0));
const [reply] = await once(control, "data") as [Uint8Array];
const relayPort = reply[8]! << 8 | reply[9]!;

const port = Number(targetPort);
const header = [0, 0, 0, 1, ...target.split(".").map(Number), port >> 8, port & 255];
const datagram = Uint8Array.from([...header, ...new TextEncoder().encode("ahoy")]);
const socket = createSocket("udp4");
let said = "nothing";
for (let tries = 0; tries < 5 && said === "nothing"; tries++) {
  socket.send(datagram, relayPort, proxy);
  const answer = await Promise.race([
    once(socket, "message") as Promise<[Uint8Array]>,
    new Promise<void>((resolve) => setTimeout(resolve, 500)),
  ]);
  if (!answer) continue;
  const [bytes] = answer;
  const from = `${bytes.slice(4, 8).join(".")}:${bytes[8]! << 8 | bytes[9]!}`;
  said = `${new TextDecoder().decode(bytes.subarray(10))} from ${from}`;
}
console.log(said);
process.exit(0);
