import { type LibcHost, openEventfd, type Poller } from "./host.ts";
import { type Bytes, POLLIN, POLLOUT } from "./linux.ts";

/** `syscall` of the C library, which has no wrappers for the kernel's asynchronous I/O. */
export interface AioLibc {
  syscall(
    number: number,
    first: number | bigint,
    second: number,
    third: Bytes | number,
    fourth: Bytes | null,
    fifth: null,
  ): number;
}

/** Reads signals from an eventfd, one at a time. */
export interface EventReader {
  /** Resolves at the next signal, or when cancelled. */
  read(): Promise<unknown>;
  /** Ends reading; the descriptor stays open. */
  cancel(): Promise<unknown>;
}

type AioCall = "io_setup" | "io_destroy" | "io_getevents" | "io_submit";

const SYSCALLS: Partial<Record<string, Readonly<Record<AioCall, number>>>> = {
  x64: { io_setup: 206, io_destroy: 207, io_getevents: 208, io_submit: 209 },
  arm64: { io_setup: 0, io_destroy: 1, io_getevents: 4, io_submit: 2 },
};

const IOCB_CMD_POLL = 5;
const IOCB_FLAG_RESFD = 1;

/**
 * Makes the kernel watch a descriptor (IOCB_CMD_POLL, Linux 4.18) and signal an eventfd when it
 * becomes readable. No thread blocks, and a cancelled wait leaves nothing behind.
 */
export class AioWaiter implements Poller {
  readonly #context: AioContext;
  readonly #host: Pick<LibcHost, "libc" | "errno">;
  readonly #eventfd: number;
  readonly #readEvents: (eventfd: number) => EventReader;
  readonly #request: Bytes;
  /** Created by the first wait; from then on it keeps the process alive. */
  #events: EventReader | undefined;
  #pending: Promise<unknown> | undefined;
  #closed = false;

  private constructor(
    host: Pick<LibcHost, "libc" | "errno">,
    context: AioContext,
    fd: number,
    readEvents: (eventfd: number) => EventReader,
  ) {
    this.#host = host;
    this.#context = context;
    this.#eventfd = openEventfd(host);
    this.#readEvents = readEvents;
    this.#request = pollRequest(fd, POLLIN, this.#eventfd);
  }

  /** Creates a waiter; `undefined` if the kernel or a sandbox does not support it. */
  static open(
    host: Pick<LibcHost, "libc" | "errno" | "addressOf">,
    libc: AioLibc,
    architecture: string,
    fd: number,
    readEvents: (eventfd: number) => EventReader,
  ): AioWaiter | undefined {
    const context = AioContext.open(host, libc, architecture);
    if (context === undefined) return undefined;
    // Test: polling a writable descriptor completes at once, unless the kernel is too old.
    if (context.submit(pollRequest(fd, POLLOUT))) {
      context.reap();
      return new AioWaiter(host, context, fd, readEvents);
    }
    context.destroy();
    return undefined;
  }

  async wait(): Promise<void> {
    if (this.#closed) return;
    if (!this.#context.submit(this.#request)) {
      throw new Error(`io_submit failed: Linux error ${this.#host.errno()}`);
    }
    this.#events ??= this.#readEvents(this.#eventfd);
    this.#pending = this.#events.read();
    await this.#pending;
    this.#pending = undefined;
    if (!this.#closed) this.#context.reap();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#context.destroy();
    await this.#events?.cancel();
    await this.#pending;
    this.#host.libc.close(this.#eventfd);
  }
}

/** A kernel AIO context for one request. */
class AioContext {
  readonly #libc: AioLibc;
  readonly #numbers: Readonly<Record<AioCall, number>>;
  readonly #addressOf: LibcHost["addressOf"];
  readonly #id: bigint;
  /** `struct iocb *[1]` */
  readonly #requests = new BigUint64Array(1);
  readonly #requestBytes: Bytes = new Uint8Array(this.#requests.buffer);
  /** `struct io_event[1]` */
  readonly #completions: Bytes = new Uint8Array(32);

  private constructor(
    libc: AioLibc,
    numbers: Readonly<Record<AioCall, number>>,
    addressOf: LibcHost["addressOf"],
    id: bigint,
  ) {
    this.#libc = libc;
    this.#numbers = numbers;
    this.#addressOf = addressOf;
    this.#id = id;
  }

  static open(
    { addressOf }: Pick<LibcHost, "addressOf">,
    libc: AioLibc,
    architecture: string,
  ): AioContext | undefined {
    const numbers = SYSCALLS[architecture];
    if (numbers === undefined) return undefined;
    const id = new BigUint64Array(1);
    const place = addressOf(new Uint8Array(id.buffer));
    return libc.syscall(numbers.io_setup, 1, place, 0, null, null) < 0
      ? undefined
      : new AioContext(libc, numbers, addressOf, id[0]!);
  }

  /** Returns false if the kernel rejected the request. */
  submit(request: Bytes): boolean {
    this.#requests[0] = BigInt(this.#addressOf(request));
    const { io_submit } = this.#numbers;
    return this.#libc.syscall(io_submit, this.#id, 1, this.#requestBytes, request, null) === 1;
  }

  /** Consumes a completion, so that the next request can be submitted. */
  reap(): void {
    const { io_getevents } = this.#numbers;
    this.#libc.syscall(io_getevents, this.#id, 0, 1, this.#completions, null);
  }

  destroy(): void {
    this.#libc.syscall(this.#numbers.io_destroy, this.#id, 0, 0, null, null);
  }
}

/** `struct iocb`. */
function pollRequest(fd: number, events: number, eventfd?: number): Bytes {
  const view = new DataView(new ArrayBuffer(64));
  view.setUint16(16, IOCB_CMD_POLL, true);
  view.setUint32(20, fd, true);
  view.setUint32(24, events, true);
  if (eventfd !== undefined) {
    view.setUint32(56, IOCB_FLAG_RESFD, true);
    view.setUint32(60, eventfd, true);
  }
  return new Uint8Array(view.buffer);
}
