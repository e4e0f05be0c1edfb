/**
 * A name server: `resolver.ts ADDRESS PORT ANSWER`. Every name has the IPv4 address ANSWER.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createSocket } from "node:dgram";
import process from "node:process";
import { decode, encode } from "@dnsquery/dns-packet";

const [address, port, answer = ""] = process.argv.slice(2);

const socket = createSocket("udp4");
socket.on("message", (query, from) => {
  const { id, questions = [] } = decode(query);
  const answers = questions.filter(({ type }) => type === "A")
    .map(({ name }) => ({ type: "A" as const, name, ttl: 60, data: answer }));
  // There are no records of other types.
  const response = encode({ type: "response", id: id ?? 0, questions, answers });
  socket.send(Buffer.from(response), from.port, from.address);
});
socket.bind(Number(port), address, () => console.log("ready"));
