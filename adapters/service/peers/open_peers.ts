/**
 * Opens the socket and finds the members, so that an instance can exchange messages with the others.
 *
 * @module
 */
import { type Clock, type Logger, systemClock } from "../../../core/api/environment.ts";
import { formatHostPort, type HostPort } from "../../../core/api/host_port.ts";
import { IpAddress } from "../../../core/wire/address.ts";
import { PROCESSES } from "../../../core/stack/peers/duplicate_numbers.ts";
import { PeerGroup } from "../../../core/stack/peers/peer_group.ts";
import { bindDatagrams, type BoundDatagrams } from "../../host/bound_datagrams.ts";
import { messageLine } from "../errors.ts";
import type { PeersSetting } from "../settings/peers_setting.ts";
import { findMembers, HOST_NAMES, type Members, type NameSource, usesDns } from "./members.ts";
import type { PeerTransport } from "./peer_link.ts";
import { RelayedDatagrams, type RelayedMessages } from "./relayed_datagrams.ts";
import { readPeerKeys } from "./secret.ts";

/** Interval at which DNS is queried again and the clock compared with the wall clock, in milliseconds. */
const REFRESH_MS = 10_000;

/** The other instances, as the service configures them. */
export interface Peers extends PeerTransport {
  /** Uses the members of another configuration. */
  update(setting: PeersSetting): void;
  /** Whether the other instances list this one as a member. */
  hasJoined(): boolean;
  /** Marks this instance as not serving, so that new connections are passed to other instances. */
  refuseNew(): void;
  /** Stops sending and receiving messages, so that another process of this instance can. */
  pause(): void;
  /** Sends and receives messages again. */
  resume(): void;
}

/** Options of {@link openPeers}. */
export interface OpenPeersOptions {
  /** The clock of the stack. */
  readonly clock?: Clock;
  /** Default: the resolver of the host. */
  readonly names?: NameSource;
  /** The socket of the process that this one replaces; messages are exchanged from {@link Peers.resume} on. */
  readonly descriptor?: number | undefined;
  /** Messages that another thread receives and passes on; this one sends from a port of its own. */
  readonly relayed?: RelayedMessages | undefined;
  /** Called with whether this thread knows that the others list this instance; returns whether all threads know it. */
  readonly joined?: (own: boolean) => boolean;
}

/**
 * Opens the socket, and finds the members.
 *
 * @throws {UsageError} The secret cannot be used.
 * @throws {Error} The port is not available.
 */
export async function openPeers(
  setting: PeersSetting,
  log: Logger,
  {
    clock = systemClock,
    names = HOST_NAMES,
    descriptor,
    relayed,
    joined = (own) => own,
  }: OpenPeersOptions = {},
): Promise<Peers> {
  const { self, secretFile, listen } = setting;
  const keys = readPeerKeys(secretFile, log);
  let wake = () => {};
  let refused = (_: HostPort) => {};
  const local = relayed === undefined ? listen : { ...listen, port: 0 };
  const hooks = { onReadable: () => wake(), onRefused: (to: HostPort) => refused(to) };
  const bound = await bindDatagrams(local, hooks, descriptor).catch((error) => {
    throw new Error(`peers.listen: cannot bind ${formatHostPort(local)}: ${messageLine(error)}`);
  });
  const socket = relayed === undefined ? bound : new RelayedDatagrams(bound, relayed, () => wake());
  const now = clock.now();
  const [number] = crypto.getRandomValues(new Uint16Array(1));
  const process = number! % PROCESSES;
  const group = new PeerGroup({ self, process, ...keys, now, wallOffset: Date.now() - now });
  // With workers, the first one receives all messages.
  if (relayed === undefined) group.onDuplicate = (number) => log.error(...duplicate(number, self));
  const peers = new OpenPeers(
    group,
    socket,
    setting,
    log,
    { clock, names, joined },
    (callback) => wake = callback,
  );
  refused = (to) => peers.refused(to);
  if (descriptor !== undefined) peers.pause();
  await peers.refresh();
  return peers;
}

/** The message and the fields of the log line about a number that two processes use. */
function duplicate(
  number: number,
  self: number,
): [message: string, fields: Record<string, unknown>] {
  return [
    number === self
      ? "another machine uses the number of this instance"
      : "two machines use the number of one instance",
    {
      number,
      hint: "give each machine another peers.self, and list it in members with that number",
    },
  ];
}

class OpenPeers implements Peers {
  readonly group: PeerGroup;
  readonly socket: BoundDatagrams;
  readonly onReadable: (wake: () => void) => void;
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #names: NameSource;
  readonly #joined: (own: boolean) => boolean;
  readonly #timer: ReturnType<typeof setInterval>;
  #setting: PeersSetting;
  #members: Members = new Map();
  /** Addresses of members that were removed, whose connections may still be open. */
  #former: Members = new Map();

  constructor(
    group: PeerGroup,
    socket: BoundDatagrams,
    setting: PeersSetting,
    log: Logger,
    { clock, names, joined }: Required<Pick<OpenPeersOptions, "clock" | "names" | "joined">>,
    onReadable: (wake: () => void) => void,
  ) {
    this.group = group;
    this.socket = socket;
    this.onReadable = onReadable;
    this.#setting = setting;
    this.#log = log;
    this.#clock = clock;
    this.#names = names;
    this.#joined = joined;
    this.#timer = setInterval(() => void this.#tick(), REFRESH_MS);
    this.#timer.unref();
  }

  addressOf(instance: number): HostPort | undefined {
    return this.#members.get(instance) ?? this.#former.get(instance);
  }

  update(setting: PeersSetting): void {
    this.#setting = setting;
    void this.refresh();
  }

  /** The host of a member has refused a message to `to`. */
  refused(to: HostPort): void {
    for (const [number, place] of [...this.#former, ...this.#members]) {
      const address = IpAddress.parse(place.hostname)?.toString();
      if (address !== to.hostname || place.port !== to.port) continue;
      this.group.membership.refused(number);
    }
  }

  hasJoined(): boolean {
    return this.#joined(this.group.membership.hasJoined(this.#clock.now()));
  }

  refuseNew(): void {
    this.group.membership.isServing = false;
  }

  pause(): void {
    this.group.isActive = false;
    this.socket.pause();
  }

  resume(): void {
    if (!this.group.isActive) this.group.membership.continueAt(this.#clock.now());
    this.group.isActive = true;
    this.socket.resume();
  }

  close(): void {
    clearInterval(this.#timer);
    this.socket.close();
  }

  /** Finds the members; the previous ones remain if DNS does not answer. */
  async refresh(): Promise<void> {
    const { members } = this.#setting;
    try {
      const found = await findMembers(members, this.#members, this.#names);
      // The configuration may have changed during the query.
      if (members !== this.#setting.members) return;
      this.#use(found);
    } catch (error) {
      this.#log.warn("the addresses of the peers cannot be found", { reason: messageLine(error) });
    }
  }

  #use(found: Members): void {
    const { self, listen } = this.#setting;
    const members = new Map(found);
    for (const [number, place] of found) {
      if (number === self || formatHostPort(place) !== formatHostPort(listen)) continue;
      members.delete(number);
      this.#log.warn("this instance is listed with another number as well, which is ignored", {
        self,
        number,
      });
    }
    const numbers = [...members.keys()];
    if ([...this.#members.keys()].some((number) => !members.has(number))) {
      this.#former = this.#members;
    }
    this.#members = members;
    this.group.membership.setMembers(numbers);
    this.#log.debug("peers", { self: this.group.self, members: numbers.join(",") });
  }

  #tick(): void {
    // The stack's clock is monotonic: it does not follow corrections of the wall clock.
    this.group.wallOffset = Date.now() - this.#clock.now();
    if (usesDns(this.#setting.members)) void this.refresh();
  }
}
