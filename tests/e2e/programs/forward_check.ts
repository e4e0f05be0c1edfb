/**
 * A server of the host behind a forwarded port, and its client: `forward_check.ts HOST PORT
 * TARGET`. Each side once half-closes first and still receives the other's data. Prints "right" or
 * what went wrong.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { connect, createServer, type Socket } from "node:net";
import process from "node:process";
import { pattern } from "./pattern.ts";

const [host = "", port = "", target = ""] = process.argv.slice(2);
const SIZE = 200_000;

const server = createServer({ allowHalfOpen: true }).listen(Number(target), "127.0.0.1");
await new Promise((resolve) => server.once("listening", resolve));
const failures = [
  await endsFirst("client", (client, upstream) => [client, upstream]),
  await endsFirst("upstream", (client, upstream) => [upstream, client]),
].filter((failure) => failure !== undefined);
console.log(failures.join("\n") || "right");
process.exit(0);

/** `first` sends and half-closes; once `second` has seen the end, it sends and closes. */
async function endsFirst(
  name: string,
  choose: (client: Socket, upstream: Socket) => [Socket, Socket],
): Promise<string | undefined> {
  const accepted = new Promise<Socket>((resolve) => server.once("connection", resolve));
  const client = connect({ host, port: Number(port), allowHalfOpen: true });
  const [first, second] = choose(client, await accepted);
  const heardByFirst = readToEnd(first);
  const heardBySecond = readToEnd(second);
  first.end(pattern(0, SIZE));
  const there = await heardBySecond;
  second.end(pattern(SIZE, 2 * SIZE));
  const back = await heardByFirst;
  if (there !== undefined && there.equals(pattern(0, SIZE))) {
    if (back !== undefined && back.equals(pattern(SIZE, 2 * SIZE))) return undefined;
  }
  return `${name} ended first: ${there?.length ?? "an error"} bytes there, ${
    back?.length ?? "an error"
  } back`;
}

/** Resolves with the data before EOF, or with `undefined` on an error. */
function readToEnd(socket: Socket): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  return new Promise((resolve) => {
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.once("end", () => resolve(Buffer.concat(chunks)));
    socket.once("error", () => resolve(undefined));
  });
}
