/**
 * Reports the state of the service to the service manager (sd_notify(3)).
 *
 * @module
 */
import process from "node:process";
import { type Clock, type Logger, systemClock } from "../../../core/api/environment.ts";
import { MessageSender } from "../../host/native/descriptor_messages.ts";
import { unixSocketAddress } from "../../host/native/socket_address.ts";
import type { LibcHost } from "../../runtime/libc/host.ts";
import { AF_UNIX, O_CLOEXEC, SOCK_DGRAM } from "../../runtime/libc/linux.ts";
import { isSupported, libcHost } from "../../runtime/libc/open.ts";
import { messageLine } from "../errors.ts";
import { requirePermissions } from "./permissions.ts";

/** The variables that systemd sets. */
const VARIABLES = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] as const;

/** Variables by name; one that is not set is absent. */
export type NotifyEnvironment = Readonly<Partial<Record<typeof VARIABLES[number], string>>>;

/** Options of {@link ServiceManager}. */
export interface ServiceManagerOptions {
  /** Sends one message, with descriptors. */
  readonly send: (message: string, descriptors?: readonly number[]) => void;
  /** Milliseconds after which the manager ends a service that has been silent. */
  readonly watchdogMs?: number | undefined;
  readonly clock?: Clock;
}

/** The service manager that started the process; without one, messages are discarded. */
export class ServiceManager {
  readonly #send: ServiceManagerOptions["send"];
  readonly #clock: Clock;
  readonly #watchdogMs: number | undefined;
  #cancel: () => void = () => {};

  constructor({ send, watchdogMs, clock = systemClock }: ServiceManagerOptions) {
    this.#send = send;
    this.#watchdogMs = watchdogMs;
    this.#clock = clock;
  }

  /** Reports that the service is ready, after its start or a reload. From now on the watchdog gets messages. */
  ready(status: string): void {
    this.#send(`READY=1\nSTATUS=${status}${this.#alive}`);
    this.#cancel();
    this.#watch();
  }

  /** Reports that a reload has begun; {@link ready} has to follow. */
  reloading(): void {
    this.#send("RELOADING=1\nSTATUS=reloading");
  }

  /** Keeps descriptors while the service restarts, if the unit permits it (`FileDescriptorStoreMax`). */
  store(name: string, descriptors: readonly number[]): void {
    for (const each of descriptors) this.#send(`FDSTORE=1\nFDNAME=${name}`, [each]);
  }

  /** Removes the stored descriptors of a name. */
  forget(name: string): void {
    this.#send(`FDSTOREREMOVE=1\nFDNAME=${name}`);
  }

  /** Reports that another process is the main process of the service from now on. */
  handOver(pid: number): void {
    this.#cancel();
    this.#send(`MAINPID=${pid}\nREADY=1\nSTATUS=serving${this.#alive}`);
  }

  /** Reports that the service is ending. The watchdog gets messages until the process ends. */
  stopping(): void {
    this.#send("STOPPING=1\nSTATUS=waiting for connections to end");
  }

  /**
   * Added to messages after which the interval starts again, so that they count for the watchdog too: otherwise
   * frequent reloads, or an upgrade between two intervals, would leave the watchdog without a message for too long.
   */
  get #alive(): string {
    return this.#watchdogMs === undefined ? "" : "\nWATCHDOG=1";
  }

  /** Sends messages to the watchdog. If the event loop hangs, none is sent, and the manager restarts the service. */
  #watch(): void {
    if (this.#watchdogMs === undefined) return;
    this.#cancel = this.#clock.schedule(this.#clock.now() + this.#watchdogMs / 2, () => {
      this.#send("WATCHDOG=1");
      this.#watch();
    });
  }

  /** Stops sending messages to the watchdog. */
  close(): void {
    this.#cancel();
  }
}

/**
 * The manager that the environment names; logs if its socket cannot be used. `after` is the process that the service
 * manager started, if that is an earlier one.
 */
export function serviceManager(log: Logger, after?: number): ServiceManager {
  const environment = notifyEnvironment();
  const { NOTIFY_SOCKET: path } = environment;
  if (path === undefined) return new ServiceManager({ send() {} });
  try {
    const send = notifySender(path);
    return new ServiceManager({ send, watchdogMs: watchdogMs(environment, after ?? process.pid) });
  } catch (error) {
    log.error("cannot notify the service manager", { socket: path, reason: messageLine(error) });
    return new ServiceManager({ send() {} });
  }
}

/** A variable that Deno does not permit to be read counts as not set. */
function notifyEnvironment(): NotifyEnvironment {
  try {
    requirePermissions(new Map([["env", VARIABLES.map((variable) => ({ variable }))]]));
  } catch {
    return {};
  }
  return Object.fromEntries(
    VARIABLES.map((name) => [name, process.env[name]] as const).filter(([, value]) => value),
  );
}

/** The time limit of the watchdog in milliseconds; `undefined` if this process has none. */
export function watchdogMs(
  { WATCHDOG_USEC: limit, WATCHDOG_PID: pid }: NotifyEnvironment,
  own: number,
): number | undefined {
  if (pid !== undefined && Number(pid) !== own) return undefined;
  return Number(limit) > 0 ? Number(limit) / 1000 : undefined;
}

/**
 * Sends datagrams to a Unix socket, which neither runtime can do by itself. A name that begins with `@` is in the
 * abstract namespace.
 *
 * @throws {Error} The C library cannot be called, or the path is too long.
 */
function notifySender(path: string): ServiceManagerOptions["send"] {
  const address = unixSocketAddress(path);
  if (address === undefined) throw new Error("the path is too long");
  if (!isSupported(process)) throw new Error("this platform is not supported");
  requirePermissions(new Map([["ffi", []]]));
  const host: LibcHost = libcHost();
  const { libc } = host;
  const sender = new MessageSender(host);
  const isAbstract = path.startsWith("@");
  if (isAbstract) address[2] = 0;
  // An abstract name has no final zero.
  const size = isAbstract ? address.length - 1 : address.length;
  return (message, descriptors = []) => {
    const fd = libc.socket(AF_UNIX, SOCK_DGRAM | O_CLOEXEC, 0);
    if (fd < 0) return;
    const bytes = new TextEncoder().encode(message) as Uint8Array<ArrayBuffer>;
    // If the manager is gone, the service continues.
    if (libc.connect(fd, address, size) === 0) sender.send(fd, bytes, descriptors);
    libc.close(fd);
  };
}
