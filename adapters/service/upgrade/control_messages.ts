/**
 * Messages between the main threads of the processes of a service.
 *
 * @module
 */
import type { ShardSeed } from "../../../core/stack/sharding/shard.ts";
import { MAX_DESCRIPTORS } from "../../host/native/descriptor_messages.ts";
import type { MessageSocket } from "../../host/native/message_socket.ts";
import type { Device } from "../../links/tun/device.ts";
import type { HandedSessions } from "../dashboard/sessions.ts";
import type { MetricsMessage } from "../metrics/earlier_metrics.ts";
import type { StackIdentity } from "./identity.ts";
import type { CommonSettings, Inheritance, ShardInheritance } from "./inheritance.ts";

/** Version of the messages, increased with each incompatible change. */
export const PROTOCOL = 2;

/** A process that still has connections. */
export interface EarlierProcess {
  readonly number: number;
  readonly pid: number;
}

/** What a process hands over; the descriptors follow in the order of {@link descriptorsOf}. */
export interface HandedState {
  readonly identity: Omit<StackIdentity, "secret"> & { readonly secret: readonly number[] };
  readonly seed: ShardSeed;
  readonly common: CommonSettings;
  readonly shards: readonly ShardInheritance[];
  readonly processes: readonly EarlierProcess[];
  readonly descriptors: number;
}

/** A message. */
export type ControlMessage =
  /** To the new process: everything that it takes over. */
  | {
    readonly type: "state";
    readonly protocol: number;
    readonly state: HandedState;
    readonly sessions?: HandedSessions | undefined;
  }
  | { readonly type: "descriptors" }
  /** The new process has loaded everything. */
  | { readonly type: "ready" }
  /** The new process cannot start. */
  | { readonly type: "failed"; readonly message: string }
  /** To the new process: it receives packets and clients from now on. */
  | { readonly type: "take-over"; readonly sessions?: HandedSessions | undefined }
  /** From the new process. `dropped` has the names of published ports that it does not have. */
  | { readonly type: "serving"; readonly dropped: readonly string[] }
  /** To the new process: the service manager regards it as the main process. */
  | { readonly type: "main" }
  /** From earlier processes, once a second and at their end. */
  | MetricsMessage
  /** To earlier processes: the service is stopping. */
  | { readonly type: "stop" };

/** Sends a message; returns false if it could not be sent. */
export function sendControl(
  socket: MessageSocket,
  message: ControlMessage,
  descriptors: readonly number[] = [],
): boolean {
  const bytes = new TextEncoder().encode(JSON.stringify(message));
  return socket.send(bytes as Uint8Array<ArrayBuffer>, descriptors);
}

/** Sends descriptors in as many messages as necessary. */
export function sendDescriptors(socket: MessageSocket, descriptors: readonly number[]): boolean {
  for (let at = 0; at < descriptors.length; at += MAX_DESCRIPTORS) {
    const some = descriptors.slice(at, at + MAX_DESCRIPTORS);
    if (!sendControl(socket, { type: "descriptors" }, some)) return false;
  }
  return true;
}

/** The message in `bytes`; `undefined` if it is not a message. */
export function readControl(bytes: Uint8Array): ControlMessage | undefined {
  try {
    const message = JSON.parse(new TextDecoder().decode(bytes));
    return typeof message?.type === "string" ? message : undefined;
  } catch {
    return undefined;
  }
}

/** The descriptors of shards, in the order in which they are sent. */
export function descriptorsOf(shards: readonly ShardInheritance[]): number[] {
  return shards.flatMap(({ queue, channel, peers, earlier, listeners }) => [
    ...queue === undefined ? [] : [queue.fd],
    ...channel === undefined ? [] : [channel],
    ...peers === undefined ? [] : [peers],
    ...earlier.map(({ descriptor }) => descriptor),
    ...listeners.map(([, descriptor]) => descriptor),
  ]);
}

/** Returns the inheritance with the received descriptors, and removes these from the list. */
export function inheritanceFrom(state: HandedState, descriptors: number[]): Inheritance {
  const next = () => descriptors.shift()!;
  const { identity, seed } = state;
  const shards = state.shards.map((shard): ShardInheritance => {
    const { predecessor, queue, channel, peers, earlier, listeners } = shard;
    return {
      predecessor,
      queue: queue === undefined ? undefined : { ...queue, fd: next() } satisfies Device,
      channel: channel === undefined ? undefined : next(),
      peers: peers === undefined ? undefined : next(),
      earlier: earlier.map(({ number }) => ({ number, descriptor: next() })),
      listeners: listeners.map(([name]) => [name, next()] as const),
    };
  });
  const secret = new Uint8Array(identity.secret);
  return { identity: { ...identity, secret, number: identity.number + 1 }, seed, shards };
}
