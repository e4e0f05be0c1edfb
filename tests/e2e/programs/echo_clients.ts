/**
 * Clients of an echo service that send, half-close and read to the end: `echo_clients.ts JSON`, see
 * {@link EchoClientOptions}. Prints what went wrong, one line each, and "N equal".
 *
 * @module
 */
import process from "node:process";
import { seededRandom } from "../../../adapters/runtime/seeded_random.ts";
import { Transfer } from "./transfer.ts";

/** Options of the program. */
export interface EchoClientOptions {
  host: string;
  port: number;
  connections: number;
  /** Maximum number of concurrent connections. */
  atOnce: number;
  /** Range of the random number of bytes per connection. */
  least: number;
  most: number;
}

const options: EchoClientOptions = JSON.parse(process.argv[2] ?? "{}");
const random = seededRandom(3);
let [started, equal] = [0, 0];
await Promise.all(Array.from({ length: options.atOnce }, takeTurns));
console.log(`${equal} equal`);
process.exit(0);

async function takeTurns(): Promise<void> {
  const { host, port, connections, least, most } = options;
  while (started < connections) {
    started++;
    const size = least + Math.floor(random.fraction() * (most - least + 1));
    const transfer = new Transfer(host, port);
    await transfer.send(size);
    const failure = await transfer.finish();
    if (failure === undefined) equal++;
    else console.log(`${size} bytes: ${failure}`);
  }
}
