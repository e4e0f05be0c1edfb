/**
 * Transfers in progress while a test acts on the service.
 *
 * @module
 */
import type { Namespace } from "../support/namespace.ts";
import type { Program } from "../support/program.ts";
import { digestOfPattern } from "./programs/pattern.ts";
import { programCommand, V4 } from "./service.ts";

const DOWNLOAD = 20_000_000;

/** Eight echo connections in mid-transfer, and a download. */
export class RunningTransfers {
  readonly #clients: Program;
  readonly #download: Program;

  private constructor(clients: Program, download: Program) {
    this.#clients = clients;
    this.#download = download;
  }

  /** Resolves when all are in progress; requires `"program:curl"`. */
  static async start(namespace: Namespace): Promise<RunningTransfers> {
    const clients = namespace.start(...programCommand("held_transfers.ts", V4, "7", "8"));
    await clients.printed(/running/);
    const url = `http://${V4}/bytes/${DOWNLOAD}`;
    const download = namespace.start("sh", "-c", `curl -sv --limit-rate 20M ${url} | sha256sum`);
    await download.printed(/< HTTP\/1.1 200/, "log");
    return new RunningTransfers(clients, download);
  }

  /** Continues them; rejects unless every byte arrives. */
  async finish(): Promise<void> {
    this.#clients.say("go on\n");
    const echoed = await this.#clients.finish(15_000);
    if (echoed.out !== "running\n8 equal\n") throw new Error(`${echoed.out}${echoed.log}`);
    const { out, log } = await this.#download.finish(15_000);
    if (out !== `${digestOfPattern(DOWNLOAD)}  -\n`) throw new Error(`the download: ${out}${log}`);
  }
}

/** Rejects unless a new connection is refused; requires `"program:nc"`. */
export async function expectRefusal(
  namespace: Namespace,
  address: string,
  port: number,
): Promise<void> {
  const client = namespace.start("nc", "-v", "-w", "20", address, String(port));
  const { exit, log } = await client.finish(25_000);
  if (exit !== 1 || !log.includes("Connection refused")) {
    throw new Error(`nc ended: ${exit} ${log}`);
  }
}
