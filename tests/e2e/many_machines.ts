/**
 * A client, a router and machines with an instance of the service each, in network namespaces.
 *
 *     client 10.1.0.2 -- 10.1.0.1 router 10.2.0.1 -- 10.2.0.10 and up: machines, each with 10.53.0.1 behind a device
 *
 * @module
 */
import { Namespace } from "../support/namespace.ts";
import { type Program, runtimeCommand } from "../support/program.ts";
import { TemporaryFolder } from "../support/temporary_folder.ts";
import type { LongClientOptions, LongClientReport } from "./programs/long_clients.ts";

/** The address of the service. */
export const SERVICE = "10.53.0.1";
export const SERVICE_V6 = "fd53::1";
/** The UDP port of the instances for messages to each other. */
export const PEERS_PORT = 7946;
/** The secret that the instances share. */
export const SECRET = "a secret of more than thirty-two characters";

/** A machine, and the instance on it while it runs. */
export interface Machine {
  readonly number: number;
  readonly namespace: Namespace;
  readonly address: string;
  /** The socket of the admin API. */
  readonly admin: string;
  service: Program | undefined;
}

/** Options of {@link ManyMachines.open}. */
export interface ManyMachinesOptions {
  readonly machines: number;
  readonly profile: "local" | "internet";
  /** Keys of the configuration of each instance. */
  readonly settings?: Readonly<Record<string, unknown>>;
}

/** The network. */
export class ManyMachines implements AsyncDisposable {
  readonly client: Namespace;
  readonly router: Namespace;
  readonly machines: Machine[];
  readonly #folder: TemporaryFolder;
  readonly #options: ManyMachinesOptions;

  private constructor(
    client: Namespace,
    router: Namespace,
    machines: Namespace[],
    folder: TemporaryFolder,
    options: ManyMachinesOptions,
  ) {
    this.client = client;
    this.router = router;
    this.#folder = folder;
    this.#options = options;
    this.machines = machines.map((namespace, number) => ({
      number,
      namespace,
      address: `10.2.0.${10 + number}`,
      admin: folder.file(`admin${number}.sock`),
      service: undefined,
    }));
  }

  /** Makes the namespaces and their devices; no instance runs yet. */
  static async open(options: ManyMachinesOptions): Promise<ManyMachines> {
    const spaces = await Promise.all(
      Array.from({ length: 2 + options.machines }, () => Namespace.open()),
    );
    const [client, router, ...machines] = spaces as [Namespace, Namespace, ...Namespace[]];
    const folder = new TemporaryFolder();
    const network = new ManyMachines(client, router, machines, folder, options);
    await network.#connect();
    return network;
  }

  /** Starts the instances of these machines, which know the machines `members`. */
  async start(machines: readonly Machine[], members = machines): Promise<void> {
    await Promise.all(machines.map(async (machine) => {
      const config = this.configure(machine, members);
      const command = runtimeCommand("main.ts", "--config", config, "--log-level", "warn");
      machine.service = machine.namespace.start(...command);
      await machine.service.printed(/Ctrl\+C/);
      await machine.namespace.shell(
        `ip route replace ${SERVICE}/32 dev berth0 && ip -6 route replace ${SERVICE_V6}/128 dev berth0`,
      );
    }));
  }

  /** Writes the configuration of a machine; resolves with its path. */
  configure(machine: Machine, members: readonly Machine[]): string {
    this.#folder.write("secret", SECRET);
    return this.#folder.write(
      `berth${machine.number}.json`,
      JSON.stringify({
        tun: "berth0",
        addresses: [`${SERVICE}/32`, `${SERVICE_V6}/128`],
        hostAddresses: ["10.99.0.1/32", "fd99::1/128"],
        profile: this.#options.profile,
        listen: { "7": "echo", "8081": "readyz" },
        admin: `unix:${machine.admin}`,
        peers: {
          self: machine.number,
          secretFile: "secret",
          members: Object.fromEntries(
            members.map(({ number, address }) => [number, `${address}:${PEERS_PORT}`]),
          ),
        },
        ...this.#options.settings,
      }),
    );
  }

  /** Reloads the instances with these members. */
  reload(machines: readonly Machine[], members: readonly Machine[]): void {
    for (const machine of machines) {
      this.configure(machine, members);
      machine.service!.signal("SIGHUP");
    }
  }

  /** Waits until the instance of a machine is ready, as a health check on the machine sees it. */
  async ready(machine: Machine): Promise<void> {
    const check = `curl -sf -o /dev/null http://${SERVICE}:8081/`;
    await machine.namespace.shell(`until ${check}; do sleep 0.1; done`);
  }

  /** Makes the router send to these machines, by plain multipath routing. */
  async route(machines: readonly Machine[]): Promise<void> {
    const v4 = machines.map(({ address }) => `nexthop via ${address}`).join(" ");
    const v6 = machines.map(({ number }) => `nexthop via fd02::${10 + number}`).join(" ");
    await this.router.shell(
      `ip route replace ${SERVICE}/32 ${v4} && ip -6 route replace ${SERVICE_V6}/128 ${v6}`,
    );
  }

  /** Starts clients whose connections stay open; resolves when they are connected. */
  async connect(options: Partial<LongClientOptions>): Promise<Program> {
    const all = { host: SERVICE, port: 7, connections: 100, everyMs: 100, ...options };
    const clients = this.client.start(
      ...runtimeCommand("tests/e2e/programs/long_clients.ts", JSON.stringify(all)),
    );
    await clients.printed(/open/);
    return clients;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (
      const namespace of [
        this.client,
        this.router,
        ...this.machines.map((it) => it.namespace),
      ]
    ) {
      await namespace.close();
    }
    this.#folder[Symbol.dispose]();
  }

  async #connect(): Promise<void> {
    const { router } = this;
    await router.shell(
      "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 " +
        "net.ipv4.fib_multipath_hash_policy=1 net.ipv6.fib_multipath_hash_policy=1 && " +
        "ip link add br0 type bridge && ip link set br0 up && " +
        "ip address add 10.2.0.1/24 dev br0 && ip address add fd02::1/64 dev br0 nodad",
    );
    await this.#wire(this.client, "client");
    await router.shell(
      "ip address add 10.1.0.1/24 dev client && ip address add fd01::1/64 dev client nodad && " +
        "ip link set client up",
    );
    await this.client.shell(
      "ip address add 10.1.0.2/24 dev eth0 && ip address add fd01::2/64 dev eth0 nodad && " +
        "ip link set eth0 up && ip route add default via 10.1.0.1 && " +
        "ip -6 route add default via fd01::1",
    );
    for (const { namespace, number, address } of this.machines) {
      await this.#wire(namespace, `m${number}`);
      await router.shell(`ip link set m${number} master br0 up`);
      // Without the unreachable routes, a machine whose device is gone would send packets back to the router.
      await namespace.shell(
        "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 && " +
          `ip address add ${address}/24 dev eth0 && ` +
          `ip address add fd02::${10 + number}/64 dev eth0 nodad && ip link set eth0 up && ` +
          "ip route add default via 10.2.0.1 && ip -6 route add default via fd02::1 && " +
          `ip route add unreachable ${SERVICE}/32 metric 9999 && ` +
          `ip -6 route add unreachable ${SERVICE_V6}/128 metric 9999`,
      );
    }
  }

  /** A pair of devices: `eth0` in a namespace, and one in the router's. */
  async #wire(namespace: Namespace, name: string): Promise<void> {
    const [, pid] = /--target (\d+)/.exec(namespace.enter.join(" "))!;
    await this.router.shell(`ip link add ${name} type veth peer name eth0 netns ${pid}`);
  }
}

/**
 * What has happened to the connections of {@link ManyMachines.connect} since the last report, unless that was a
 * `peek`.
 */
export async function reportOf(
  clients: Program,
  kind: "report" | "peek" = "report",
): Promise<LongClientReport> {
  const number = (reports.get(clients) ?? 0) + 1;
  reports.set(clients, number);
  clients.say(`${kind}\n`);
  const [, text] = await clients.printed(new RegExp(`report ${number} (.*)\n`));
  return JSON.parse(text!);
}

const reports = new WeakMap<Program, number>();

/** `fewestAnswers` in a report without open connections. */
const NONE_OPEN = 1e9;

/** Waits until every connection has received this many more answers, or is broken. */
export async function exchange(clients: Program, answers: number): Promise<LongClientReport> {
  const { fewestAnswers } = await reportOf(clients, "peek");
  for (;;) {
    const { fewestAnswers: now } = await reportOf(clients, "peek");
    if (now >= Math.min(fewestAnswers + answers, NONE_OPEN)) return await reportOf(clients);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
