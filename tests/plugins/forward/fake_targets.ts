import { TcpError } from "../../../core/api/errors.ts";
import type { Handler, NetAddr, Plugin } from "../../../core/api/types.ts";
import { formatDialTarget } from "../../../plugins/shared/dial.ts";
import type { Dial, HostDialer } from "../../../plugins/shared/host_network.ts";
import {
  type FakeSocket,
  socketPair,
  type TestContext,
  testContext,
} from "../../support/fake_socket.ts";

/** A dialer for TCP only: these tests use no UDP. */
export function tcpOnly(dial: Dial): HostDialer {
  return { dial, dialDatagrams: () => Promise.reject(new Error("there is no UDP in this test")) };
}

/** Outcome of attempts: accepted, refused, not answered, or failed locally. */
export type Mood = "up" | "refuses" | "silent" | "no descriptor";

/** Simulated targets whose behaviour a test sets; records the attempts. */
export class FakeTargets {
  readonly moods: Map<string, Mood> = new Map();
  /** Every attempt, in order. */
  dialled: string[] = [];
  /** The targets' ends of the connections, in order. */
  readonly accepted: FakeSocket[] = [];

  readonly dial: Dial = (to, signal) => {
    const name = formatDialTarget(to);
    this.dialled.push(name);
    switch (this.moods.get(name) ?? "up") {
      case "up": {
        const { client, server } = socketPair();
        this.accepted.push(server);
        return Promise.resolve(client);
      }
      case "refuses":
        return Promise.reject(new TcpError("CONNECTION_REFUSED", `${name} refuses`));
      case "no descriptor":
        return Promise.reject(new TcpError("INSUFFICIENT_RESOURCES", "too many open files"));
      case "silent":
        return new Promise((_, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason));
        });
    }
  };

  /** Targets dialled since the last call. */
  take(): string[] {
    return this.dialled.splice(0);
  }
}

/** Connections to a plugin, in the time of one clock. */
export class Clients {
  readonly context: TestContext = testContext(socketPair().server);
  readonly #plugin: Plugin;

  constructor(plugin: Plugin) {
    this.#plugin = plugin;
  }

  /** A SYN arrives; rejects when it is refused. */
  syn(
    signal: AbortSignal = new AbortController().signal,
    hostname: string = "10.0.0.2",
  ): Promise<Handler> {
    const address: NetAddr = { transport: "tcp", hostname: "10.0.0.2", port: 8080 };
    const { context } = this.context;
    const syn = { local: address, remote: { ...address, hostname }, signal };
    return this.#plugin.onSyn!(syn, context) as Promise<Handler>;
  }

  /** A connection whose handler runs. */
  async connect(hostname?: string): Promise<{ client: FakeSocket; served: Promise<void> }> {
    const handler = await this.syn(undefined, hostname);
    const { client, server } = socketPair();
    const context = { ...this.context.context, socket: server };
    const served = Promise.resolve(handler(context, () => Promise.resolve()));
    return { client, served };
  }

  /** Messages at a level. */
  messages(level: string): string[] {
    return this.context.lines.filter((line) => line.level === level).map((line) =>
      `${line.message}: ${line.fields?.["target"]}`
    );
  }
}
