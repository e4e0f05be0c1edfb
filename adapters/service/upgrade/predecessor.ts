/**
 * The process that a new process replaces.
 *
 * @module
 */
import type { Logger } from "../../../core/api/environment.ts";
import { connectMessages } from "../../host/native/message_listener.ts";
import { MessageSocket } from "../../host/native/message_socket.ts";
import { nativeSockets } from "../../host/native/sockets.ts";
import { messageLine, UsageError } from "../errors.ts";
import type { HandedSessions } from "../dashboard/sessions.ts";
import type { Settings } from "../settings/settings.ts";
import {
  type ControlMessage,
  type HandedState,
  inheritanceFrom,
  PROTOCOL,
  readControl,
  sendControl,
} from "./control_messages.ts";
import { EarlierProcesses, MAX_CONTROL_BYTES } from "./earlier_processes.ts";
import { commonSettings, type Inheritance, upgradeFault } from "./inheritance.ts";

/** The connection to the process that hands over. */
export class Predecessor {
  readonly #socket: MessageSocket;
  readonly #state: HandedState;
  /** What the predecessor hands over. */
  readonly inheritance: Inheritance;
  /** The processes before the predecessor, and the predecessor itself once it has handed over. */
  readonly earlier: EarlierProcesses;
  #hasEnded = false;
  #onMessage: (message: ControlMessage | undefined) => void = () => {};

  private constructor(
    socket: MessageSocket,
    state: HandedState,
    inheritance: Inheritance,
    earlier: EarlierProcesses,
  ) {
    this.#socket = socket;
    this.#state = state;
    this.inheritance = inheritance;
    this.earlier = earlier;
  }

  /**
   * Connects to the process that has started this one.
   *
   * @throws {Error} The process has ended, or is of another version.
   */
  static async connect(name: string, log: Logger): Promise<Predecessor> {
    const sockets = nativeSockets();
    if (sockets === undefined) throw new UsageError(NO_SOCKETS);
    const descriptors: number[] = [];
    const received = Promise.withResolvers<HandedState>();
    let state: HandedState | undefined;
    let sessions: HandedSessions | undefined;
    const read: { current: (message: ControlMessage | undefined) => void } = {
      current(message) {
        if (message?.type === "state") {
          if (message.protocol !== PROTOCOL) received.reject(new Error(OTHER_VERSION));
          ({ state, sessions } = message);
        }
        if (message === undefined) received.reject(new Error(ENDED));
        if (state !== undefined && descriptors.length >= state.descriptors) received.resolve(state);
      },
    };
    const socket = MessageSocket.open(sockets, connectMessages(sockets, name), {
      maxWaiting: MAX_CONTROL_BYTES,
      onMessage(bytes, more) {
        descriptors.push(...more);
        read.current(readControl(bytes));
      },
      onClose: () => read.current(undefined),
    });
    const handed = await received.promise;
    const inheritance = inheritanceFrom(handed, descriptors);
    const earlier = new EarlierProcesses(log);
    earlier.isRetired = true;
    for (const process of handed.processes) earlier.add(sockets, process, descriptors.shift()!);
    const predecessor = new Predecessor(socket, handed, inheritance, earlier);
    predecessor.sessions = sessions;
    read.current = (message) => predecessor.#take(message);
    return predecessor;
  }

  /** @throws {UsageError} A setting differs that both processes must have in common. */
  requireCompatible(settings: Settings): void {
    const fault = upgradeFault(this.#state.common, commonSettings(settings));
    if (fault !== undefined) throw new UsageError(fault);
  }

  /** Reports to the predecessor why this process cannot start. */
  reportFailure(error: unknown): void {
    const message = error instanceof UsageError ? error.message : messageLine(error);
    sendControl(this.#socket, { type: "failed", message });
  }

  /**
   * The sessions of the predecessor's dashboard at the time when this process connected; updated when it hands over.
   */
  sessions: HandedSessions | undefined;

  /** Waits until the predecessor has handed over; resolves with `"ended"` if it has ended before. */
  async takeOver(): Promise<"handed over" | "ended"> {
    sendControl(this.#socket, { type: "ready" });
    const message = await this.#next("take-over");
    if (message?.type === "take-over") this.sessions = message.sessions;
    return message === undefined ? "ended" : "handed over";
  }

  /**
   * Tells the predecessor that this process serves, with the published ports `listeners`. Resolves when the service
   * manager has been told too.
   */
  async serving(listeners: readonly string[]): Promise<void> {
    const dropped = this.#closeOthers(listeners);
    const { pid } = this;
    const { number } = this.#state.identity;
    if (!this.#hasEnded) {
      this.earlier.addConnected({ number, pid }, this.#socket);
      sendControl(this.#socket, { type: "serving", dropped });
      await this.#next("main");
    }
    this.earlier.isRetired = false;
  }

  /** Closes the sockets of ports that this process does not publish, because clients would otherwise wait there. */
  #closeOthers(listeners: readonly string[]): string[] {
    const others = this.inheritance.shards.flatMap((shard) => shard.listeners)
      .filter(([name]) => !listeners.includes(name));
    for (const [, descriptor] of others) nativeSockets()!.host.libc.close(descriptor);
    return others.map(([name]) => name);
  }

  /** The process ID of the predecessor. */
  get pid(): number {
    return this.#socket.peer.pid;
  }

  #next(type: ControlMessage["type"]): Promise<ControlMessage | undefined> {
    if (this.#hasEnded) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      this.#onMessage = (message) => {
        if (message === undefined || message.type === type) resolve(message);
      };
    });
  }

  #take(message: ControlMessage | undefined): void {
    if (message?.type === "metrics") {
      return this.earlier.metrics.take(this.#state.identity.number, message);
    }
    if (message === undefined) {
      this.#hasEnded = true;
      this.earlier.end(this.#state.identity.number);
    }
    this.#onMessage(message);
  }
}

const NO_SOCKETS =
  "an upgrade needs foreign functions and access to the network: --allow-ffi --allow-net";
const ENDED = "the running process has ended before it handed over";
const OTHER_VERSION =
  "the running process is of a version that cannot hand over to this one: restart the service";
