/**
 * A socket of a host's kernel in virtual time, which processes of the host pass to each other.
 *
 * @module
 */
import type {
  ClosedListener,
  ReadableListener,
} from "../../../core/api/tcp/connection_listener.ts";
import type { TcpSocket } from "../../../core/api/types.ts";
import type { MovableConnection } from "../../../plugins/shared/host_network.ts";
import type { Duplex, NonBlockingReader } from "../../../plugins/shared/relay.ts";

/** Number of bytes that the kernel accepts at a time from a pending write. */
const PIECE = 1000;

type Kernel = TcpSocket & Duplex & NonBlockingReader;

interface Writer extends PromiseWithResolvers<number> {
  readonly bytes: Uint8Array;
  at: number;
}

/** One process's use of a connection that the kernel has. */
export class KernelSocket implements MovableConnection, NonBlockingReader {
  readonly #kernel: Kernel;
  #isHeld: boolean;
  #isReleased = false;
  /** Read from the kernel, and not consumed. */
  #rest: Uint8Array | undefined;
  #writer: Writer | undefined;
  #endsWriting = false;
  #listeners: ClosedListener[] = [];
  /** Number of the current owner within this process. */
  #owner = 0;

  constructor(socket: TcpSocket, isHeld = false) {
    this.#kernel = socket as Kernel;
    this.#isHeld = isHeld;
    const ended = (error?: unknown) => {
      if (!this.#isHeld) { for (const each of this.#listeners.splice(0)) each.onClosed(error); }
    };
    socket.closed.then(() => ended(), ended);
  }

  /** The same connection, for another process. */
  passed(): KernelSocket {
    return new KernelSocket(this.#kernel, true);
  }

  get closed(): Promise<unknown> {
    return this.#kernel.closed;
  }

  onClosed(listener: ClosedListener): void {
    this.#listeners.push(listener);
    if (this.#kernel.state !== "CLOSED") return;
    this.#kernel.closed.catch((error: unknown) => listener.onClosed(error));
  }

  tryView(): Uint8Array | null | undefined {
    if (this.#rest !== undefined) return this.#rest;
    const view = this.#kernel.tryView();
    if (view == null) return view;
    this.#rest = view.slice();
    this.#kernel.consume(view.length);
    return this.#rest;
  }

  consume(count: number): void {
    const rest = this.#rest!.subarray(count);
    this.#rest = rest.length > 0 ? rest : undefined;
  }

  whenReadable(listener: ReadableListener): boolean {
    const owner = this.#owner;
    return this.#rest === undefined && this.#kernel.whenReadable({
      onReadable: () => !this.#isHeld && owner === this.#owner && listener.onReadable(),
    });
  }

  read(): Promise<number | null> {
    return Promise.reject(new Error("the relay reads views"));
  }

  tryWrite(bytes: Uint8Array<ArrayBufferLike>): number {
    return this.#isHeld || this.#writer !== undefined ? 0 : this.#kernel.tryWrite(bytes);
  }

  write(bytes: Uint8Array<ArrayBufferLike>): Promise<number> {
    const writer = { bytes, at: this.tryWrite(bytes), ...Promise.withResolvers<number>() };
    this.#writer = writer;
    void this.#fill(writer, this.#owner);
    return writer.promise;
  }

  async #fill(writer: Writer, owner: number): Promise<void> {
    try {
      while (writer.at < writer.bytes.length) {
        const piece = writer.bytes.slice(writer.at, writer.at + PIECE);
        writer.at += piece.length;
        await this.#kernel.write(piece);
        if (this.#isHeld || owner !== this.#owner) return;
      }
      this.#writer = undefined;
      if (this.#endsWriting) void this.#kernel.closeWrite();
      writer.resolve(writer.bytes.length);
    } catch (error) {
      this.#writer = undefined;
      writer.reject(error);
    }
  }

  closeWrite(): Promise<void> {
    this.#endsWriting = true;
    return this.#writer === undefined ? this.#kernel.closeWrite() : Promise.resolve();
  }

  close(): unknown {
    return this.#isHeld ? undefined : this.#kernel.close();
  }

  abort(reason?: unknown): void {
    if (!this.#isHeld) this.#kernel.abort(reason);
  }

  get acceptedOfWrite(): number {
    return this.#writer?.at ?? 0;
  }

  hold(): void {
    this.#isHeld = true;
    this.#owner++;
    this.#rest = this.#writer = undefined;
    this.#endsWriting = false;
    for (const listener of this.#listeners.splice(0)) listener.onHeld?.();
  }

  resume(): void {
    this.#isHeld = false;
  }

  release(): void {
    this.#isReleased = true;
  }

  /** Whether this process has given it up. */
  get isReleased(): boolean {
    return this.#isReleased;
  }
}
