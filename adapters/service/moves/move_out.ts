/**
 * The sending side of a move.
 *
 * @module
 */
import { type Clock, sleepUntil } from "../../../core/api/environment.ts";
import { TcpError } from "../../../core/api/errors.ts";
import type { FrozenConnection } from "../../../core/api/moves/types.ts";
import type { OpenConnection, Stack } from "../../../core/api/types.ts";
import { messageLine } from "../errors.ts";
import type { MoveMessage } from "./messages.ts";

/**
 * Maximum number of connections frozen at the same time: they share the time for an answer, but each waits for the
 * others. After a batch that took longer than the limit there are half as many.
 */
const MAX_BATCH = 32;
const MIN_BATCH = 8;
const BATCH_LIMIT_MS = 10;
/**
 * How long failed moves are tried again after the last connection that has moved, and at which interval, in
 * milliseconds.
 */
const RETRY_MS = 1000;
const PAUSE_MS = 50;
/** How long the receiver may take to accept a batch, in milliseconds. */
const ANSWER_MS = 2000;
/** How long the receiver may take to answer all offers before the next batch, in milliseconds. */
const SILENCE_MS = 10_000;
/** Maximum number of batches in succession of which none was accepted in time. */
const MAX_SLOW_BATCHES = 3;
/** How long it may take to thaw a batch, in milliseconds, before its connections count as lost. */
const COMMIT_MS = 15_000;

/** The part of a stack whose connections move. */
export type SendingStack = Pick<Stack, "connections" | "freeze">;

/** What became of the connections. */
export interface MoveReport {
  /** The other stack has them. */
  readonly moved: number;
  /** They continue here. */
  readonly stayed: number;
  /** Why those that were tried last could not move, or were refused, with their numbers. */
  readonly reasons: Readonly<Record<string, number>>;
  /** How long those that have moved were frozen, in milliseconds. */
  readonly pauseMs: { readonly p50: number; readonly p99: number; readonly max: number };
  /** They were committed when the channel broke: it is unknown which side has them. */
  readonly lost: number;
}

/** A connection on its way. */
interface Moving {
  readonly frozen: FrozenConnection;
  readonly frozenAt: number;
  state: "offered" | "accepted" | "committed" | "over";
}

/**
 * Moves connections in one session. Each is handed over in two steps: it is offered, and resumes here
 * unless the receiver accepts it; then it is committed, and belongs to the receiver.
 */
export class MoveOut {
  readonly #stack: SendingStack;
  readonly #send: (message: MoveMessage) => boolean;
  readonly #clock: Clock;
  /** Connections without a final answer. */
  readonly #moving = new Map<number, Moving>();
  /** Offers that were withdrawn before the receiver answered them. */
  readonly #withdrawn = new Set<number>();
  /** Connections of the receiver whose packets are passed on. */
  readonly #redirected = new Set<FrozenConnection>();
  readonly #reasons = new Map<string, number>();
  /** Size of the next batch. */
  #batch = MIN_BATCH;
  #slowBatches = 0;
  #nextId = 1;
  #moved = 0;
  #lost = 0;
  /** How long each connection was frozen. */
  readonly #pauses: number[] = [];
  #hasEnded = false;
  /** Called when a connection has an answer. */
  #wake = () => {};

  /** `send` returns false if the channel has ended. */
  constructor(stack: SendingStack, send: (message: MoveMessage) => boolean, clock: Clock) {
    this.#stack = stack;
    this.#send = send;
    this.#clock = clock;
  }

  /** Moves all connections that can move; failed moves are tried again for some time. */
  async moveAll(): Promise<MoveReport> {
    const clock = this.#clock;
    for (let deadline = clock.now() + RETRY_MS;;) {
      const before = this.#moved;
      await this.#moveRound();
      if (this.#moved > before || this.#slowBatches > 0) deadline = clock.now() + RETRY_MS;
      const isDone = this.#stack.connections().length === 0;
      if (isDone || this.#isOver || clock.now() >= deadline) break;
      await sleepUntil(clock, clock.now() + PAUSE_MS);
    }
    return {
      moved: this.#moved,
      stayed: this.#stack.connections().length,
      reasons: Object.fromEntries(this.#reasons),
      pauseMs: percentilesOf(this.#pauses),
      lost: this.#lost,
    };
  }

  /** Packets reach the receiver directly: forgets the connections that have moved. */
  release(): void {
    for (const frozen of this.#redirected) frozen.release();
    this.#redirected.clear();
  }

  /** Whether offering more is useless. */
  get #isOver(): boolean {
    return this.#hasEnded || this.#withdrawn.size > 0 || this.#slowBatches >= MAX_SLOW_BATCHES;
  }

  /** Tries to move each connection once. */
  async #moveRound(): Promise<void> {
    this.#reasons.clear();
    const connections = this.#stack.connections();
    for (let at = 0; at < connections.length && !this.#isOver;) {
      const batch = connections.slice(at, at += this.#batch);
      const began = this.#clock.now();
      await this.#moveBatch(batch);
      const isLong = this.#clock.now() - began > BATCH_LIMIT_MS;
      this.#batch = isLong
        ? Math.max(MIN_BATCH, this.#batch >> 1)
        : Math.min(MAX_BATCH, 2 * this.#batch);
    }
  }

  /** Handles a message; returns false if it is not one for a sender. */
  receive(message: MoveMessage): boolean {
    const moving = this.#moving.get(message.id);
    this.#withdrawn.delete(message.id);
    if (message.type === "accept") {
      if (moving?.state === "offered") this.#commit(message.id, moving);
    } else if (message.type === "done") {
      if (moving?.state === "committed") this.#finish(message.id, moving);
    } else if (message.type === "refuse") {
      if (moving !== undefined) this.#takeBack(message.id, moving, message.reason);
    } else return false;
    this.#wake();
    return true;
  }

  /** The session has ended: what was not committed resumes here. */
  end(): void {
    this.#hasEnded = true;
    for (const [id, moving] of this.#moving) {
      if (moving.state !== "committed") this.#takeBack(id, moving, "the channel has ended");
      else this.#lose(id, moving);
    }
    this.#wake();
  }

  async #moveBatch(connections: readonly OpenConnection[]): Promise<void> {
    const before = this.#moved;
    await Promise.all(connections.map((each) => this.#offer(each)));
    const began = this.#clock.now();
    await this.#answers(this.#moving, began + ANSWER_MS);
    const isSlow = this.#moving.size > 0;
    for (const [id, moving] of this.#moving) {
      if (moving.state === "offered") this.#withdraw(id, moving);
    }
    await this.#answers(this.#moving, began + COMMIT_MS);
    for (const [id, moving] of this.#moving) this.#lose(id, moving);
    // The next batch waits until a busy receiver has answered; no connection is frozen meanwhile.
    await this.#answers(this.#withdrawn, began + SILENCE_MS);
    this.#slowBatches = isSlow && this.#moved === before ? this.#slowBatches + 1 : 0;
  }

  /** Resolves when everything in `waiting` is answered, or at the deadline. */
  async #answers(waiting: { readonly size: number }, deadline: number): Promise<void> {
    while (waiting.size > 0 && !this.#hasEnded && this.#clock.now() < deadline) {
      await this.#answer(deadline);
    }
  }

  /** Resolves at the next answer, or at the deadline. */
  #answer(deadline: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#clock.schedule(deadline, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
  }

  async #offer(connection: OpenConnection): Promise<void> {
    let frozen: FrozenConnection;
    try {
      frozen = await this.#stack.freeze(connection);
    } catch (error) {
      return this.#stay(reasonOf(error));
    }
    const id = this.#nextId++;
    const moving: Moving = { frozen, frozenAt: this.#clock.now(), state: "offered" };
    this.#moving.set(id, moving);
    if (!this.#send({ type: "offer", id, record: frozen.record })) {
      this.#takeBack(id, moving, "the channel has ended");
    }
  }

  /** The receiver has not answered the offer in time. */
  #withdraw(id: number, moving: Moving): void {
    this.#withdrawn.add(id);
    this.#send({ type: "withdraw", id });
    this.#takeBack(id, moving, "the receiver does not answer");
  }

  #commit(id: number, moving: Moving): void {
    const elapsedMs = this.#clock.now() - moving.frozenAt;
    if (!this.#send({ type: "commit", id, elapsedMs })) {
      return this.#takeBack(id, moving, "the channel has ended");
    }
    moving.state = "committed";
  }

  /** The receiver has thawed the connection: it gets the packets that have arrived here. */
  #finish(id: number, moving: Moving): void {
    this.#moving.delete(id);
    moving.state = "over";
    this.#moved++;
    this.#pauses.push(this.#clock.now() - moving.frozenAt);
    // Once the channel has ended, they are dropped: a RST would end a connection that the receiver may
    // still have.
    this.#redirected.add(moving.frozen);
    moving.frozen.redirect((packet, segmentSize) => {
      this.#send({ type: "packet", id, segmentSize, packet });
    });
  }

  /** The receiver does not have the connection. */
  #takeBack(id: number, moving: Moving, reason: string): void {
    this.#moving.delete(id);
    moving.state = "over";
    try {
      moving.frozen.resume();
      this.#stay(reason);
    } catch {
      // Its plugin or its address was removed meanwhile.
      moving.frozen.release();
      this.#lost++;
    }
  }

  /** The receiver may have the connection: a second owner would corrupt the stream. */
  #lose(id: number, moving: Moving): void {
    this.#moving.delete(id);
    moving.state = "over";
    moving.frozen.release();
    this.#lost++;
  }

  #stay(reason: string): void {
    this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + 1);
  }
}

function percentilesOf(values: number[]): MoveReport["pauseMs"] {
  values.sort((a, b) => a - b);
  const at = (share: number) =>
    Math.round((values[Math.floor(share * (values.length - 1))] ?? 0) * 10) / 10;
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}

/** The reason without the connection's addresses, so that equal reasons can be counted. */
function reasonOf(error: unknown): string {
  const text = messageLine(error);
  if (!(error instanceof TcpError) || error.code !== "NOT_MOVABLE") return text;
  return text.slice(text.indexOf("cannot be frozen: ") + "cannot be frozen: ".length);
}
