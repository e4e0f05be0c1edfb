/**
 * The sending side of a move.
 *
 * @module
 */
import { type Clock, sleepUntil } from "../../../core/api/environment.ts";
import { TcpError } from "../../../core/api/errors.ts";
import type { Attachment, FrozenConnection } from "../../../core/api/moves/types.ts";
import type { OpenConnection, Stack } from "../../../core/api/types.ts";
import { messageLine } from "../errors.ts";
import type { MoveMessage } from "./messages.ts";

/**
 * Maximum number of connections that are frozen at the same time. They share a round trip of the channel, but each
 * waits for the others of its batch.
 */
const BATCH = 8;
/**
 * How long failed moves are tried again after the last connection has moved, and at which interval, in milliseconds.
 */
const RETRY_MS = 1000;
const PAUSE_MS = 50;
/** Maximum time that a receiver may take to answer, in milliseconds. No connection is frozen for a slower receiver. */
const ANSWER_MS = 2000;
/** How long an answer counts, in milliseconds: within this time the receiver is not asked again before a batch. */
const FRESH_MS = 20;
/** How long the receiver may fail to answer in time before the move is given up, in milliseconds. */
const ASK_MS = 10_000;
/** Time limit for thawing a batch, in milliseconds; after it the connections count as lost. */
const COMMIT_MS = 15_000;

/** The part of a stack whose connections move. */
export type SendingStack = Pick<Stack, "connections" | "freeze">;

/** The result of a move. */
export interface MoveReport {
  /** Number of connections that the other stack has. */
  readonly moved: number;
  /** Number of connections that continue here. */
  readonly stayed: number;
  /**
   * Why connections could not move or were refused in the last round, with the number of connections for each reason.
   */
  readonly reasons: Readonly<Record<string, number>>;
  /** How long the connections that have moved were frozen, in milliseconds. */
  readonly pauseMs: { readonly p50: number; readonly p99: number; readonly max: number };
  /** Number of connections that were committed when the channel broke, so that it is unknown which side has them. */
  readonly lost: number;
}

/** Sends a message with what is attached to it; returns false if it was not accepted. */
export type SendMove = (message: MoveMessage, attachments: readonly Attachment[]) => boolean;

/** Options of {@link MoveOut}. */
export interface MoveOutOptions {
  /** See {@link FreezeOptions.carries}. */
  readonly carries?: ((attachment: Attachment) => boolean) | undefined;
  /** Whether packets reach the receiver without a redirect once it has the connection. Default `false`. */
  readonly isReachable?: boolean | undefined;
}

/** A connection that is being moved. */
interface Moving {
  readonly frozen: FrozenConnection;
  readonly frozenAt: number;
}

/**
 * Moves connections in one session, in two steps: first it asks whether the receiver answers in time, then it freezes
 * and commits connections, which belong to the receiver unless it refuses them.
 */
export class MoveOut {
  readonly #stack: SendingStack;
  readonly #send: SendMove;
  readonly #options: MoveOutOptions;
  readonly #clock: Clock;
  /** Connections without a final answer. */
  readonly #moving = new Map<number, Moving>();
  /** Connections that the receiver may have thawed without an answer. They count as lost until it answers. */
  readonly #overdue = new Map<number, Moving>();
  /** Connections that the receiver has, and whose packets are passed on to it. */
  readonly #redirected = new Set<FrozenConnection>();
  readonly #reasons = new Map<string, number>();
  /** Number of the question that waits for an answer. */
  #question: number | undefined;
  /** When the receiver last answered in time. */
  #answeredAt = -Infinity;
  /** Whether the receiver has failed to answer in time for too long. */
  #isSilent = false;
  #nextId = 1;
  #moved = 0;
  #lost = 0;
  /** How long each connection was frozen. */
  readonly #pauses: number[] = [];
  #hasEnded = false;
  /** Ends the wait for an answer. */
  #wake = () => {};

  constructor(stack: SendingStack, send: SendMove, clock: Clock, options: MoveOutOptions = {}) {
    this.#stack = stack;
    this.#send = send;
    this.#clock = clock;
    this.#options = options;
  }

  /**
   * Moves up to `limit` connections that can move; failed moves are tried again until `retryMs` have passed since
   * the last connection moved. Can be called again.
   */
  async move(limit: number = Infinity, retryMs: number = RETRY_MS): Promise<MoveReport> {
    const clock = this.#clock;
    this.#isSilent = false;
    for (let deadline = clock.now() + retryMs;;) {
      const before = this.#moved;
      await this.#moveRound(limit);
      if (this.#moved > before) deadline = clock.now() + retryMs;
      const isDone = this.#moved >= limit || this.#stack.connections().length === 0;
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

  /**
   * Called when packets reach the receiver directly. Forgets the connections that have moved, or those of them for
   * which `isKnown` returns true, and returns how many remain.
   */
  release(isKnown: (frozen: FrozenConnection) => boolean = () => true): number {
    for (const frozen of this.#redirected) {
      if (frozen.isAway && !isKnown(frozen)) continue;
      frozen.release();
      this.#redirected.delete(frozen);
    }
    return this.#redirected.size;
  }

  /** Whether connections are being moved. */
  get isMoving(): boolean {
    return this.#moving.size > 0;
  }

  /** Whether no further connection can be moved. */
  get #isOver(): boolean {
    return this.#hasEnded || this.#isSilent;
  }

  /** Tries to move each connection once, until `limit` have moved in all. */
  async #moveRound(limit: number): Promise<void> {
    this.#reasons.clear();
    const all = this.#stack.connections();
    // Code in this process holds the connections of connect() and accept().
    const connections = all.filter(({ plugin }) => plugin !== undefined);
    if (connections.length < all.length) {
      this.#stay("no plugin serves it", all.length - connections.length);
    }
    for (let at = 0; at < connections.length && this.#moved < limit && !this.#isOver;) {
      if (!await this.#answersInTime()) return;
      await this.#moveBatch(connections.slice(at, at += Math.min(BATCH, limit - this.#moved)));
    }
  }

  /** Handles a message; returns false if the message is not for a sender. */
  receive(message: MoveMessage): boolean {
    const { id } = message;
    const moving = this.#moving.get(id);
    if (message.type === "ready") {
      if (id === this.#question) this.#question = undefined;
    } else if (message.type === "done") {
      if (moving !== undefined) this.#finish(id, moving);
      else this.#finishLate(id);
    } else if (message.type === "refuse") {
      if (moving !== undefined) this.#takeBack(id, moving, message.reason);
      else this.#loseLate(id);
    } else return false;
    this.#wake();
    return true;
  }

  /** Called when the session has ended. The receiver may have the connections that were committed. */
  end(): void {
    this.#hasEnded = true;
    for (const [id, moving] of this.#moving) this.#lose(id, moving);
    this.#wake();
  }

  /** Asks the receiver until it answers in time, unless it has just answered. */
  async #answersInTime(): Promise<boolean> {
    const clock = this.#clock;
    const deadline = clock.now() + ASK_MS;
    while (clock.now() - this.#answeredAt > FRESH_MS) {
      const asked = clock.now();
      const id = this.#question = this.#nextId++;
      this.#send({ type: "ask", id }, []);
      await this.#until(() => this.#question === undefined, deadline);
      if (this.#hasEnded) return false;
      if (this.#question !== undefined || clock.now() >= deadline) {
        this.#isSilent = true;
        this.#stay("the receiver does not answer in time", this.#stack.connections().length);
        return false;
      }
      if (clock.now() - asked <= ANSWER_MS) this.#answeredAt = clock.now();
    }
    return true;
  }

  async #moveBatch(connections: readonly OpenConnection[]): Promise<void> {
    const clock = this.#clock;
    const began = clock.now();
    await Promise.all(connections.map((each) => this.#handOver(each)));
    const count = this.#moving.size;
    await this.#until(() => this.#moving.size === 0, began + COMMIT_MS);
    for (const [id, moving] of this.#moving) this.#waitOn(id, moving);
    const isInTime = clock.now() - began <= ANSWER_MS;
    if (count > 0 && isInTime) this.#answeredAt = clock.now();
  }

  /** Resolves when the condition holds, when the channel has ended, or at the deadline. */
  async #until(holds: () => boolean, deadline: number): Promise<void> {
    while (!holds() && !this.#hasEnded && this.#clock.now() < deadline) {
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

  async #handOver(connection: OpenConnection): Promise<void> {
    let frozen: FrozenConnection;
    try {
      frozen = await this.#stack.freeze(connection, { carries: this.#options.carries });
    } catch (error) {
      return this.#stay(reasonOf(error));
    }
    const id = this.#nextId++;
    const moving: Moving = { frozen, frozenAt: this.#clock.now() };
    this.#moving.set(id, moving);
    if (!this.#send({ type: "commit", id, record: frozen.record }, frozen.attachments)) {
      this.#takeBack(id, moving, "the channel has no room, or has ended");
    }
  }

  /** Called when the receiver has thawed the connection. */
  #finish(id: number, moving: Moving): void {
    this.#moving.delete(id);
    this.#count(moving);
    this.#redirect(id, moving.frozen);
    if (this.#options.isReachable) this.#release(moving.frozen);
  }

  /** Keeps a connection without an answer as overdue: the receiver may still thaw it, or may have failed. */
  #waitOn(id: number, moving: Moving): void {
    this.#moving.delete(id);
    this.#overdue.set(id, moving);
    this.#lost++;
    this.#redirect(id, moving.frozen);
  }

  #finishLate(id: number): void {
    const moving = this.#overdue.get(id);
    if (moving === undefined) return;
    this.#overdue.delete(id);
    this.#lost--;
    this.#count(moving);
    if (this.#options.isReachable) this.#release(moving.frozen);
  }

  #loseLate(id: number): void {
    this.#overdue.get(id)?.frozen.release();
    this.#overdue.delete(id);
  }

  #release(frozen: FrozenConnection): void {
    this.#redirected.delete(frozen);
    frozen.release();
  }

  #count({ frozenAt }: Moving): void {
    this.#moved++;
    this.#pauses.push(this.#clock.now() - frozenAt);
  }

  /** Passes on the packets that have arrived for the connection, and those that follow. */
  #redirect(id: number, frozen: FrozenConnection): void {
    // Once the channel has ended, the packets are dropped, because a RST would end a connection that the receiver may
    // still have.
    this.#redirected.add(frozen);
    frozen.redirect((packet, segmentSize) => {
      this.#send({ type: "packet", id, segmentSize, packet }, []);
    });
  }

  /** Continues a connection here that the receiver does not have. */
  #takeBack(id: number, moving: Moving, reason: string): void {
    this.#moving.delete(id);
    try {
      moving.frozen.resume();
      this.#stay(reason);
    } catch {
      // Its plugin or its address was removed in the meantime.
      moving.frozen.release();
      this.#lost++;
    }
  }

  /** Gives up a connection that the receiver may have, because a second stack with it would corrupt the stream. */
  #lose(id: number, moving: Moving): void {
    this.#moving.delete(id);
    moving.frozen.release();
    this.#lost++;
  }

  #stay(reason: string, count = 1): void {
    this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + count);
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
