/**
 * An echo server whose connections move: `moving_server.ts OPTIONS`, as JSON. Its link is UDP. For each line on
 * stdin, a socket, it moves its connections there and prints the report as JSON; after the line "release" it no
 * longer passes packets on.
 *
 * @module
 */
import process from "node:process";
import { openUdpLink } from "../../../adapters/links/udp.ts";
import { ServiceMoves } from "../../../adapters/service/moves/service_moves.ts";
import { silentLogger } from "../../../core/api/environment.ts";
import { createStack } from "../../../core/api/stack.ts";
import { echo } from "../../../plugins/echo.ts";

/** Options of the program. */
export interface MovingServerOptions {
  /** `HOST:PORT` of this link, and of the client's. */
  readonly local: string;
  readonly remote: string;
  readonly address: string;
  readonly secretFile: string;
  /** The socket where connections are received. */
  readonly listen: string;
}

const options = JSON.parse(process.argv[2]!) as MovingServerOptions;
const { local, remote } = options;
const link = await openUdpLink({ local, remote, queue: 65_536 });
const stack = createStack({
  link,
  addresses: [options.address],
  tcp: { profile: "internet" },
});
stack.use(7, echo());
const moves = new ServiceMoves(
  stack,
  { secretFile: options.secretFile, listen: { path: options.listen } },
  silentLogger,
);
await moves.listen();
console.log("listening");

let rest = "";
process.stdin.setEncoding("utf8").on("data", (text: string) => {
  const lines = (rest + text).split("\n");
  rest = lines.pop()!;
  for (const line of lines) {
    if (line === "release") moves.endRedirects();
    else void move(line);
  }
});
process.stdin.on("end", () => process.exit(0));

async function move(place: string): Promise<void> {
  const report = await moves.moveTo(place);
  console.log(`report ${JSON.stringify(report)}`);
}
