/**
 * The processes of a service that have handed over and still have connections.
 *
 * @module
 */
import { type Logger, systemClock } from "../../../core/api/environment.ts";
import { MessageSocket } from "../../host/native/message_socket.ts";
import type { NativeSockets } from "../../host/native/sockets.ts";
import { EarlierMetrics } from "../metrics/earlier_metrics.ts";
import { type EarlierProcess, readControl, sendControl } from "./control_messages.ts";

/** Maximum number of bytes of messages that wait for one process. */
export const MAX_CONTROL_BYTES: number = 256 * 1024;

/** The earlier processes: collects their metrics, and tells them when the service stops. */
export class EarlierProcesses {
  readonly #log: Logger;
  /** The metrics of the earlier processes. */
  readonly metrics: EarlierMetrics = new EarlierMetrics();
  #isRetired = false;
  readonly #running = new Map<number, { readonly pid: number; readonly socket: MessageSocket }>();
  #onEnd: () => void = () => {};

  constructor(log: Logger) {
    this.#log = log;
  }

  /**
   * Whether another process receives and logs the metrics, because this one has handed over too, or has not taken
   * over yet. All processes have the same channels, but a message reaches only one of them.
   */
  get isRetired(): boolean {
    return this.#isRetired;
  }

  set isRetired(isRetired: boolean) {
    this.#isRetired = isRetired;
    for (const { socket } of this.#running.values()) {
      if (isRetired) socket.pause();
      else socket.resume();
    }
  }

  /** The processes that still run, the oldest first. */
  get running(): readonly (EarlierProcess & { readonly descriptor: number })[] {
    return [...this.#running].map(([number, { pid, socket }]) => ({
      number,
      pid,
      descriptor: socket.descriptor,
    }));
  }

  /** Adds a process that this process has a channel to. */
  add(sockets: NativeSockets, { number, pid }: EarlierProcess, descriptor: number): void {
    const socket = MessageSocket.open(sockets, descriptor, {
      maxWaiting: MAX_CONTROL_BYTES,
      onMessage: (bytes) => {
        const message = readControl(bytes);
        if (message?.type === "metrics") this.metrics.take(number, message);
      },
      onClose: () => this.#end(number),
    });
    if (this.#isRetired) socket.pause();
    this.addConnected({ number, pid }, socket);
  }

  /** Adds a process that is already connected. */
  addConnected({ number, pid }: EarlierProcess, socket: MessageSocket): void {
    this.#running.set(number, { pid, socket });
  }

  /** Called when a process added by {@link addConnected} has ended. */
  end(number: number): void {
    this.#end(number);
  }

  /** Asks all processes to end within their grace time. */
  stop(): void {
    for (const { socket } of this.#running.values()) sendControl(socket, { type: "stop" });
  }

  /** Resolves when no process is left, or after `limitMs`. */
  ended(limitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = systemClock.schedule(systemClock.now() + limitMs, resolve);
      this.#onEnd = () => {
        if (this.#running.size > 0) return;
        cancel();
        resolve();
      };
      this.#onEnd();
    });
  }

  #end(number: number): void {
    const { pid } = this.#running.get(number) ?? {};
    if (!this.#running.delete(number)) return;
    this.metrics.end(number);
    if (!this.isRetired) this.#log.info("an earlier process has ended", { pid });
    this.#onEnd();
  }
}
