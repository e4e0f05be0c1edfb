/**
 * Moves connections between the processes of a service. Processes that have handed over move their connections to the
 * newest one, over the channel in which they get packets from it.
 *
 * @module
 */
import { type Clock, type Logger, sleepUntil, systemClock } from "../../../core/api/environment.ts";
import type { Attachment } from "../../../core/api/moves/types.ts";
import { NEWEST } from "../../../core/stack/sharding/generations.ts";
import type { NativeSockets } from "../../host/native/sockets.ts";
import { attachmentsOf, closeAll, descriptorsOf, isSocket } from "../moves/attachments.ts";
import { decodeMessage, encodeMessage, type MoveMessage } from "../moves/messages.ts";
import { MoveIn, type ReceivingStack } from "../moves/move_in.ts";
import { MoveOut, type MoveReport, type SendingStack } from "../moves/move_out.ts";
import { reasonsText } from "../moves/reasons_text.ts";
import type { GenerationLink, MoveHandler } from "./generation_link.ts";
import type { WholeMessage } from "./move_parts.ts";

/** Time in milliseconds before connections that could not move are tried again; it doubles up to a limit. */
const AGAIN_MS = 1000;
const MAX_AGAIN_MS = 30_000;

/** The channels to the other processes. */
export type MoveChannels = Pick<GenerationLink, "sendMove" | "moves">;

/** The moves of one stack. */
export class GenerationMoves implements MoveHandler {
  readonly #channels: MoveChannels;
  readonly #stack: SendingStack & ReceivingStack;
  readonly #sockets: NativeSockets;
  readonly #log: Logger;
  readonly #clock: Clock;
  /** The receiving sides, by the number of the earlier process. */
  readonly #incoming = new Map<number, MoveIn>();
  #outgoing: MoveOut | undefined;
  #stopped = new AbortController();

  constructor(
    channels: MoveChannels,
    stack: SendingStack & ReceivingStack,
    sockets: NativeSockets,
    log: Logger,
    clock: Clock = systemClock,
  ) {
    this.#channels = channels;
    this.#stack = stack;
    this.#sockets = sockets;
    this.#log = log;
    this.#clock = clock;
    channels.moves = this;
  }

  /**
   * Moves the connections of this process to the newest one until {@link stop}; those that cannot move yet are tried
   * again later.
   */
  start(): void {
    if (this.#outgoing !== undefined) return;
    const options = { carries: isSocket, isReachable: true };
    const send = (message: MoveMessage, attachments: readonly Attachment[]) =>
      this.#send(NEWEST, message, attachments);
    this.#outgoing = new MoveOut(this.#stack, send, this.#clock, options);
    this.#stopped = new AbortController();
    void this.#run(this.#outgoing, this.#stopped.signal);
  }

  /** Stops moving connections, because the process that had taken over has ended, or this one ends. */
  stop(): void {
    this.#stopped.abort();
    const outgoing = this.#outgoing;
    this.#outgoing = undefined;
    outgoing?.end();
    outgoing?.release();
  }

  /** Whether connections are being moved, so that this process has to wait for the answers. */
  get isMoving(): boolean {
    return this.#outgoing?.isMoving === true;
  }

  onMessage(from: number, { id, bytes, descriptors }: WholeMessage): void {
    const message = bytes && decodeMessage(bytes);
    if (from === NEWEST || message?.type !== "commit") closeAll(this.#sockets, descriptors);
    if (from === NEWEST) {
      if (message !== undefined) this.#outgoing?.receive(message);
      return;
    }
    if (message === undefined) {
      const reason = "its record did not arrive whole";
      return void this.#send(from, { type: "refuse", id, reason });
    }
    this.#incomingFrom(from).receive(message, () => attachmentsOf(this.#sockets, descriptors));
  }

  onGone(from: number): void {
    if (from === NEWEST) return this.stop();
    this.#incoming.get(from)?.end();
    this.#incoming.delete(from);
  }

  #incomingFrom(number: number): MoveIn {
    let incoming = this.#incoming.get(number);
    if (incoming === undefined) {
      incoming = new MoveIn(this.#stack, (message) => this.#send(number, message), this.#log);
      this.#incoming.set(number, incoming);
    }
    return incoming;
  }

  #send(to: number, message: MoveMessage, attachments: readonly Attachment[] = []): boolean {
    const descriptors = descriptorsOf(attachments);
    return descriptors !== undefined &&
      this.#channels.sendMove(to, message.id, encodeMessage(message), descriptors);
  }

  async #run(outgoing: MoveOut, stopped: AbortSignal): Promise<void> {
    let pauseMs = AGAIN_MS;
    let before: MoveReport | undefined;
    while (!stopped.aborted) {
      const report = await outgoing.move(Infinity, before === undefined ? undefined : 0);
      const isNews = report.moved !== before?.moved || report.lost !== before.lost;
      if (isNews) this.#logReport(report);
      if (stopped.aborted) return;
      pauseMs = isNews ? AGAIN_MS : Math.min(2 * pauseMs, MAX_AGAIN_MS);
      before = report;
      await sleepUntil(this.#clock, this.#clock.now() + pauseMs, stopped);
    }
  }

  #logReport({ moved, stayed, lost, pauseMs: { p99, max }, reasons }: MoveReport): void {
    if (moved + stayed + lost === 0) return;
    const fields = { moved, stayed, lost, pauseP99Ms: p99, pauseMaxMs: max };
    this.#log.info("upgrade: connections moved to the new process", {
      ...fields,
      reasons: reasonsText(reasons),
    });
  }
}
