import type { SeededRandom } from "../../adapters/runtime/seeded_random.ts";
import type { CoreStack } from "../../core/stack/stack.ts";
import type { EndReason } from "../../core/tcp/state.ts";
import { type Tcb, TCB_EVENT } from "../../core/tcp/tcb.ts";
import { FIN_RECEIVED } from "../../core/tcp/tcb_flags.ts";
import { isAtEnd } from "../../core/tcp/user_calls.ts";
import { fillPattern, findMismatch } from "./pattern.ts";

/** Behaviour of an application. Sizes in bytes, times in milliseconds. */
export interface Habits {
  /** Number of bytes to write. */
  readonly total: number;
  /** Maximum size of a write, and pause between writes. */
  readonly writeMost: number;
  readonly writePauseMs: number;
  /** Whether it writes only after the peer's FIN. */
  readonly answers: boolean;
  /** Maximum size of a read, and pause between reads. */
  readonly readMost: number;
  readonly readPauseMs: number;
  /** Reading pauses once after this many bytes. */
  readonly stallAfter: number;
  readonly stallMs: number;
  /**
   * How it ends after writing everything: closeWrite(), then close() after the peer's FIN; close()
   * at once; or abort().
   */
  readonly ending: "half-close" | "close" | "abort";
  /** Delay before it ends. */
  readonly endPauseMs: number;
}

/** An application that writes and reads without pauses, and half-closes. */
export const PLAIN: Habits = {
  total: 10_000,
  writeMost: 4096,
  writePauseMs: 0,
  answers: false,
  readMost: 65_536,
  readPauseMs: 0,
  stallAfter: Infinity,
  stallMs: 0,
  ending: "half-close",
  endPauseMs: 0,
};

/** Functions of the world that an application uses. */
export interface Surroundings {
  /** Replaced when the connection moves. */
  readonly core: CoreStack;
  readonly random: SeededRandom;
  now(): number;
  wakeIn(ms: number, wake: () => void): void;
}

/** One side of a connection: writes one stream and verifies the other. */
export class Application {
  /** Replaced when the connection moves. */
  tcb: Tcb;
  opened = false;
  written = 0;
  received = 0;
  /** Whether the peer's FIN has been read. */
  eof = false;
  /** The first error in the received data. */
  fault: string | undefined = undefined;
  /** How the connection ended, if it has. */
  ended: { error: EndReason | undefined } | undefined = undefined;
  /** Whether it has closed or aborted. */
  finished = false;
  /** When the last byte was received. */
  lastByteAt = 0;
  readonly habits: Habits;
  readonly #world: Surroundings;
  readonly #sends: number;
  readonly #receives: number;
  #piece: Uint8Array<ArrayBuffer> | undefined;
  #pieceAt = 0;
  #writePaused = false;
  #readPaused = false;
  #endPaused = false;
  #halfClosed = false;
  #stalled = false;

  /** Writes stream `sends` and expects stream `receives`. */
  constructor(tcb: Tcb, habits: Habits, world: Surroundings, sends: number, receives: number) {
    this.tcb = tcb;
    this.habits = habits;
    this.#world = world;
    this.#sends = sends;
    this.#receives = receives;
    tcb.handle = this;
  }

  /** Called when the connection has moved: its record was read into `tcb`. */
  moveTo(tcb: Tcb): void {
    this.tcb = tcb;
    tcb.handle = this;
  }

  /** Whether everything was written and accepted by the send buffer. */
  get hasWritten(): boolean {
    return this.written === this.habits.total;
  }

  /** Whether it is finished, and nothing more can happen. */
  get isOver(): boolean {
    return this.finished && this.ended !== undefined;
  }

  /** Handles events of the core. */
  onEvent(): void {
    const { tcb } = this;
    const { events } = tcb;
    tcb.events = 0;
    if ((events & TCB_EVENT.OPENED) !== 0) this.opened = true;
    if ((events & TCB_EVENT.ENDED) !== 0) this.ended ??= { error: tcb.error };
    this.run();
  }

  /** Reads and writes as far as possible. */
  run(): void {
    if (this.finished) return;
    this.#read();
    this.#write();
    this.#end();
  }

  #write(): void {
    const { habits, tcb } = this;
    if (habits.answers && !this.eof) return;
    while (!this.#writePaused && this.written < habits.total && !this.ended) {
      this.#piece ??= this.#nextPiece();
      const taken = this.#world.core.tcp.send(tcb, this.#piece, this.#pieceAt, this.#world.now());
      this.written += taken;
      this.#pieceAt += taken;
      if (this.#pieceAt < this.#piece.length) return;
      this.#piece = undefined;
      this.#pieceAt = 0;
      this.#pause(habits.writePauseMs, "write");
    }
  }

  #nextPiece(): Uint8Array<ArrayBuffer> {
    const { writeMost, total } = this.habits;
    const size = 1 + Math.floor(this.#world.random.fraction() * writeMost);
    const piece = new Uint8Array(Math.min(size, total - this.written));
    fillPattern(piece, this.#sends, this.written);
    return piece;
  }

  #read(): void {
    const { habits, tcb } = this;
    const { core, random } = this.#world;
    while (!this.#readPaused && !this.eof) {
      core.tcp.markProcessed(tcb, this.#world.now());
      const target = READ_BUFFER.subarray(0, 1 + Math.floor(random.fraction() * habits.readMost));
      const count = core.tcp.read(tcb, target, this.#world.now());
      if (count === 0) {
        this.eof = isAtEnd(tcb) && tcb.has(FIN_RECEIVED);
        return;
      }
      this.#check(target.subarray(0, count));
      this.#pauseReading();
    }
  }

  #check(bytes: Uint8Array): void {
    const at = findMismatch(bytes, this.#receives, this.received);
    if (at >= 0) this.fault ??= `byte ${this.received + at} of stream ${this.#receives} is wrong`;
    this.received += bytes.length;
    this.lastByteAt = this.#world.now();
  }

  #pauseReading(): void {
    const { stallAfter, stallMs, readPauseMs } = this.habits;
    const stalls = !this.#stalled && this.received >= stallAfter;
    this.#stalled ||= stalls;
    this.#pause(stalls ? stallMs : readPauseMs, "read");
  }

  #pause(ms: number, what: "write" | "read"): void {
    if (ms === 0) return;
    if (what === "write") this.#writePaused = true;
    else this.#readPaused = true;
    this.#world.wakeIn(ms, () => {
      if (what === "write") this.#writePaused = false;
      else this.#readPaused = false;
      this.run();
    });
  }

  #end(): void {
    if (this.#isCutShort) {
      // Received data can still be read.
      if (this.#readPaused) return;
      this.finished = true;
      this.#world.core.tcp.close(this.tcb, this.#world.now());
      return;
    }
    if (!this.hasWritten) return;
    if (this.#endPaused) return;
    if (this.habits.endPauseMs > 0 && !this.#halfClosed) {
      this.#endPaused = true;
      this.#world.wakeIn(this.habits.endPauseMs, () => this.#endNow());
    } else {
      this.#endNow();
    }
  }

  /** Whether there was an error, or the peer closed before everything was written. */
  get #isCutShort(): boolean {
    if (this.ended === undefined) return false;
    return this.ended.error !== undefined || (this.eof && !this.hasWritten);
  }

  #endNow(): void {
    const { core } = this.#world;
    const { ending } = this.habits;
    this.#endPaused = false;
    if (this.finished) return;
    if (ending === "abort") {
      this.finished = true;
      core.tcp.abort(this.tcb);
      return;
    }
    if (!this.#halfClosed && ending === "half-close") {
      this.#halfClosed = true;
      core.tcp.closeWrite(this.tcb);
    }
    if (ending === "close" || this.eof) {
      this.finished = true;
      core.tcp.close(this.tcb, this.#world.now());
    }
  }
}

const READ_BUFFER = new Uint8Array(1 << 20);
