/**
 * Sockets without a stack: two ends in memory, and a handler's context with a clock by hand.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import { VirtualClock } from "../../adapters/runtime/virtual_clock.ts";
import type { Logger } from "../../core/api/environment.ts";
import { TcpError } from "../../core/api/errors.ts";
import type {
  Context,
  NetAddr,
  SocketInfo,
  Stack,
  TcpSocket,
  TcpState,
  TcpStats,
} from "../../core/api/types.ts";

/** What {@link socketPair} can be told. */
export interface PairOptions {
  /** Bytes that wait in each direction before writes wait. Default 65 536. */
  bufferSize?: number;
  /** Bytes that one `read` returns at most. Default: all that is there. */
  readSize?: number;
  /** The client's address. */
  client?: NetAddr;
  /** The server's address. */
  server?: NetAddr;
}

/** Two ends of one connection, established, with bounded buffers in between. */
export function socketPair(options: PairOptions = {}): { client: FakeSocket; server: FakeSocket } {
  const clientAddr = options.client ?? { transport: "tcp", hostname: "10.0.0.1", port: 50_000 };
  const serverAddr = options.server ?? { transport: "tcp", hostname: "10.0.0.2", port: 80 };
  const { bufferSize = 65_536, readSize = Infinity } = options;
  const up = new Pipe(bufferSize, readSize);
  const down = new Pipe(bufferSize, readSize);
  const client = new FakeSocket(down, up, clientAddr, serverAddr);
  const server = new FakeSocket(up, down, serverAddr, clientAddr);
  client.peer = server;
  server.peer = client;
  return { client, server };
}

/** One direction: a bounded queue of bytes. */
class Pipe {
  readonly #size: number;
  readonly #readSize: number;
  #chunks: Uint8Array[] = [];
  #wakeReader: (() => void) | undefined;
  #wakeWriter: (() => void) | undefined;
  /** Bytes that wait. */
  length = 0;
  /** Bytes that ever came. */
  total = 0;
  /** The writer has ended. */
  ended = false;
  /** The reader has closed: what comes is thrown away. */
  unread = false;
  readError: TcpError | undefined;
  writeError: TcpError | undefined;

  constructor(size: number, readSize: number) {
    this.#size = size;
    this.#readSize = readSize;
  }

  async read(target: Uint8Array): Promise<number | null> {
    while (true) {
      if (this.readError) throw this.readError;
      if (this.unread) return null;
      if (this.length > 0) return this.#take(target);
      if (this.ended) return null;
      await new Promise<void>((resolve) => this.#wakeReader = resolve);
    }
  }

  async write(bytes: Uint8Array): Promise<number> {
    let rest = bytes;
    while (true) {
      if (this.writeError) throw this.writeError;
      if (this.ended) throw new TcpError("CLOSING", "this side has been closed");
      if (this.unread) return bytes.length;
      const count = Math.min(rest.length, this.#size - this.length);
      if (count > 0) this.#put(rest.slice(0, count));
      rest = rest.subarray(count);
      if (rest.length === 0) return bytes.length;
      await new Promise<void>((resolve) => this.#wakeWriter = resolve);
    }
  }

  tryWrite(bytes: Uint8Array): number {
    if (this.writeError || this.ended || this.#wakeWriter) return 0;
    if (this.unread) return bytes.length;
    const count = Math.min(bytes.length, this.#size - this.length);
    if (count > 0) this.#put(bytes.slice(0, count));
    return count;
  }

  /** Lets whoever waits look again. */
  wake(): void {
    this.#wakeReader?.();
    this.#wakeWriter?.();
    this.#wakeReader = this.#wakeWriter = undefined;
  }

  #put(bytes: Uint8Array): void {
    this.#chunks.push(bytes);
    this.length += bytes.length;
    this.total += bytes.length;
    this.wake();
  }

  #take(target: Uint8Array): number {
    const max = Math.min(target.length, this.#readSize);
    let taken = 0;
    while (taken < max && this.#chunks.length > 0) {
      const chunk = this.#chunks[0]!;
      const count = Math.min(chunk.length, max - taken);
      target.set(chunk.subarray(0, count), taken);
      taken += count;
      if (count === chunk.length) this.#chunks.shift();
      else this.#chunks[0] = chunk.subarray(count);
    }
    this.length -= taken;
    this.wake();
    return taken;
  }
}

/** One end of a {@link socketPair}. */
export class FakeSocket implements TcpSocket {
  readonly #in: Pipe;
  readonly #out: Pipe;
  readonly #closed = Promise.withResolvers<undefined>();
  readonly localAddr: NetAddr;
  readonly remoteAddr: NetAddr;
  readonly upgraded = false;
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly writable: WritableStream<Uint8Array<ArrayBufferLike>>;
  /** The other end. */
  peer: FakeSocket | undefined;
  /** How this end has been ended here, if it has. */
  ending: "close" | "abort" | undefined;

  constructor(incoming: Pipe, outgoing: Pipe, localAddr: NetAddr, remoteAddr: NetAddr) {
    this.#in = incoming;
    this.#out = outgoing;
    this.localAddr = localAddr;
    this.remoteAddr = remoteAddr;
    this.#closed.promise.catch(() => {});
    this.readable = new ReadableStream({
      type: "bytes",
      pull: async (controller) => {
        const chunk = new Uint8Array(4096);
        const count = await this.read(chunk);
        if (count === null) controller.close();
        else controller.enqueue(chunk.subarray(0, count));
      },
    }, { highWaterMark: 0 });
    this.writable = new WritableStream({
      write: async (chunk) => void await this.write(chunk),
      close: () => this.closeWrite(),
      abort: (reason) => this.abort(reason),
    });
  }

  get opened(): Promise<SocketInfo> {
    const [remote, local] = [this.remoteAddr, this.localAddr];
    return Promise.resolve({
      remoteAddress: `${remote.hostname}:${remote.port}`,
      localAddress: `${local.hostname}:${local.port}`,
      alpn: null,
    });
  }

  get closed(): Promise<undefined> {
    return this.#closed.promise;
  }

  /** Bytes that this end has written and the other has not read yet. */
  get unreadByPeer(): number {
    return this.#out.length;
  }

  /** True once this end has sent its FIN. */
  get ended(): boolean {
    return this.#out.ended;
  }

  get state(): TcpState {
    if (this.#in.readError || (this.#in.ended && this.#out.ended)) return "CLOSED";
    if (this.#out.ended) return "FIN-WAIT-2";
    return this.#in.ended ? "CLOSE-WAIT" : "ESTABLISHED";
  }

  read(p: Uint8Array<ArrayBufferLike>): Promise<number | null> {
    return this.#in.read(p);
  }

  write(p: Uint8Array<ArrayBufferLike>): Promise<number> {
    return this.#out.write(p);
  }

  tryWrite(p: Uint8Array<ArrayBufferLike>): number {
    return this.#out.tryWrite(p);
  }

  closeWrite(): Promise<void> {
    if (this.#out.writeError) return Promise.reject(this.#out.writeError);
    this.#out.ended = true;
    this.#out.wake();
    this.#settle();
    if (this.peer) this.peer.#settle();
    return Promise.resolve();
  }

  close(_reason?: unknown): Promise<undefined> {
    if (this.ending) return this.closed;
    this.ending = "close";
    this.#in.unread = true;
    this.#in.wake();
    this.#closed.resolve(undefined);
    this.closeWrite().catch(() => {});
    return this.closed;
  }

  abort(reason?: unknown): void {
    if (this.#in.readError) return;
    this.ending = "abort";
    this.#fail(new TcpError("CONNECTION_ABORTED", "aborted by this side", { cause: reason }));
    if (this.peer) this.peer.#fail(new TcpError("CONNECTION_RESET", "reset by the peer"));
  }

  stats(): TcpStats {
    return {
      state: this.state,
      srttMs: 0,
      rtoMs: 0,
      cwnd: 0,
      ssthresh: 0,
      unacknowledged: 0,
      flightSize: 0,
      sendMss: 0,
      sendWindow: 0,
      receiveWindow: 0,
      bytesIn: this.#in.total - this.#in.length,
      bytesOut: this.#out.total,
      segmentsIn: 0,
      segmentsOut: 0,
      retransmits: 0,
      outOfOrder: 0,
      urgentBytes: 0,
    };
  }

  acknowledge(): void {}

  setUserTimeout(): void {}

  setLinger(): void {}

  setCork(): void {}

  setNoDelay(): void {}
  setKeepAlive(): void {}
  ref(): void {}
  unref(): void {}

  views(): AsyncIterableIterator<Uint8Array<ArrayBuffer>> {
    return this[Symbol.asyncIterator]();
  }

  async *[Symbol.asyncIterator](): AsyncIterableIterator<Uint8Array<ArrayBuffer>> {
    while (true) {
      const chunk = new Uint8Array(65_536);
      const count = await this.read(chunk);
      if (count === null) return;
      yield chunk.subarray(0, count);
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #settle(): void {
    if (this.#out.ended && this.#in.ended) this.#closed.resolve(undefined);
  }

  #fail(error: TcpError): void {
    this.#in.readError = error;
    this.#out.writeError = error;
    this.#in.wake();
    this.#out.wake();
    this.#closed.reject(error);
  }
}

/** Lets everything happen that needs no time to pass. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => void setImmediate(resolve));
}

/** A log line as {@link testContext} keeps it. */
export interface LogLine {
  level: "debug" | "info" | "warn" | "error";
  message: string;
  fields: Readonly<Record<string, unknown>> | undefined;
}

/** What {@link testContext} makes. */
export interface TestContext {
  context: Context;
  clock: VirtualClock;
  lines: LogLine[];
  /** Aborts the context's signal, as a stack does that closes. */
  stop(): void;
}

/** What a handler gets: `socket`, a clock that stands still, a log that is kept. */
export function testContext(socket: TcpSocket, overrides: Partial<Context> = {}): TestContext {
  const clock = new VirtualClock();
  const lines: LogLine[] = [];
  const controller = new AbortController();
  const values = new Map<symbol | string, unknown>();
  const context: Context = {
    socket,
    stack: noStack,
    log: loggerInto(lines),
    clock,
    signal: controller.signal,
    get: <T>(key: symbol | string) => values.get(key) as T | undefined,
    set: (key, value) => void values.set(key, value),
    ...overrides,
  };
  socket.closed.catch(() => controller.abort());
  return { context, clock, lines, stop: () => controller.abort() };
}

/** For handlers that use no stack. */
export const noStack: Pick<Stack, "connect" | "listenDatagram"> = {
  listenDatagram() {
    throw new TcpError("STACK_CLOSED", "there is no stack in this test");
  },
  connect() {
    throw new TcpError("STACK_CLOSED", "there is no stack in this test");
  },
};

function loggerInto(lines: LogLine[]): Logger {
  const at = (level: LogLine["level"]): Logger["info"] => (message, fields) => {
    lines.push({ level, message, fields });
  };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}
