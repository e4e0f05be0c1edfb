/**
 * One TLS connection on top of one of the stack's.
 *
 * @module
 */
import type { Socket } from "node:net";
import { TLSSocket, type TLSSocketOptions } from "node:tls";
import { type Clock, sleepUntil } from "../../../../core/api/environment.ts";
import { TcpError } from "../../../../core/api/errors.ts";
import { deriveSocket } from "../../../../core/api/tcp/derived_socket.ts";
import type { TcpSocket } from "../../../../core/api/types.ts";
import { HostConnection } from "../../../host/connection.ts";
import { brokenBy, endedEarly, truncated } from "../faults.ts";
import type { ServerSettings, TlsInfo, TlsSession } from "../engine.ts";
import { Decrypted } from "./decrypted.ts";
import { infoOf } from "./info.ts";
import { openSocketPair } from "./socket_pair.ts";

/** Most bytes of a record (RFC 8446 5.1). */
const CHUNK_SIZE = 16 * 1024;
/** How long the engine, which has everything that came, may take to say so, in milliseconds. */
const PATIENCE_MS = 500;
const ABORTED = "the connection was aborted by this side";

/**
 * The runtime's TLS on top of a socket of the stack. In between is a pair of the kernel's sockets:
 * on a stream of JavaScript's, Bun 1.4 takes writes without bound and ends both halves when the peer
 * ends one. Deno 2.9 decrypts without bound, and loses the end while it is paused: so it never is,
 * and gets no ciphertext that no reader waits for.
 */
export class RuntimeSession implements TlsSession {
  readonly #base: TcpSocket;
  readonly #clock: Clock;
  readonly #clients: ServerSettings["clients"];
  /** Where ciphertext goes to and comes from. */
  readonly #near: Socket;
  readonly #ciphertext: HostConnection;
  /** The other end of it, under the engine. */
  readonly #far: Socket;
  readonly #engine: TLSSocket;
  readonly #decrypted: Decrypted = new Decrypted();
  readonly #secured: Promise<void>;
  readonly #allSent: Promise<void>;
  #baseEnded = false;
  #isSecured = false;
  /** How often somebody has begun to read. */
  #reads = 0;
  /** Lets {@link RuntimeSession.#carryIn} go on. */
  #wake: (() => void) | undefined;
  #failure: unknown;
  readonly #ended = new AbortController();

  private constructor(
    base: TcpSocket,
    clock: Clock,
    [near, far]: [Socket, Socket],
    options: TLSSocketOptions,
    clients: ServerSettings["clients"],
  ) {
    this.#base = base;
    this.#clients = clients;
    this.#clock = clock;
    this.#near = near;
    this.#far = far;
    this.#ciphertext = new HostConnection(near, { keepAliveMs: 0 });
    const halfOpen: TLSSocketOptions & { allowHalfOpen: boolean } = {
      ...options,
      isServer: true,
      allowHalfOpen: true,
    };
    this.#engine = new TLSSocket(far, halfOpen);
    this.#secured = this.#waitUntilSecured();
    this.#engine.on(
      "data",
      (chunk: Uint8Array) => this.#decrypted.push(chunk),
    );
    this.#engine.on("end", () => this.#decrypted.end());
    this.#allSent = this.#carryOut();
    for (const task of [this.#allSent, this.#carryIn(), base.closed]) {
      task.catch((error) => this.#fail(error));
    }
  }

  /**
   * Begins the handshake of a server.
   *
   * @throws {PeerFaultError} The client has gone before its turn had come.
   * @throws {Error} The kernel gives no sockets.
   */
  static async open(
    base: TcpSocket,
    clock: Clock,
    options: TLSSocketOptions,
    clients: ServerSettings["clients"],
  ): Promise<RuntimeSession> {
    let isOpen = true;
    const ended = () => isOpen = false;
    base.closed.then(ended, ended);
    const pair = await openSocketPair(() => isOpen && base.state === "ESTABLISHED");
    return new RuntimeSession(base, clock, pair, options, clients);
  }

  async secure(): Promise<TlsInfo> {
    await this.#secured;
    return infoOf(this.#engine, this.#clients);
  }

  async refuse(): Promise<void> {
    this.#engine.end();
    await this.#allSent.catch(() => {});
  }

  socket(): TcpSocket {
    return deriveSocket(this.#base, {
      readChunk: () => this.#read(),
      write: (bytes) => this.#orFailure(() => this.#encrypt(bytes)),
      closeWrite: () =>
        this.#orFailure(async () => {
          await new Promise<void>((resolve) => this.#engine.end(resolve));
          await this.#allSent;
        }),
      abort: (reason) => {
        this.#fail(new TcpError("CONNECTION_ABORTED", ABORTED, { cause: reason }));
        this.#decrypted.clear();
        this.#base.abort(reason);
      },
      alpn: this.#engine.alpnProtocol || null,
      upgraded: true,
    });
  }

  dispose(): void {
    this.#fail(new TcpError("CONNECTION_ABORTED", "the TLS session has ended"));
  }

  #waitUntilSecured(): Promise<void> {
    const secured = new Promise<void>((resolve, reject) => {
      this.#engine.once("secure", () => {
        this.#isSecured = true;
        resolve();
      });
      this.#engine.on("error", (error) => {
        // Its alert is still on the way to the peer.
        this.#failure ??= brokenBy(error);
        this.#decrypted.end();
        reject(this.#failure);
      });
      this.#engine.once("close", () => reject(this.#failure ?? endedEarly()));
    });
    secured.catch(() => {});
    return secured;
  }

  async #carryIn(): Promise<void> {
    const incoming = this.#base[Symbol.asyncIterator]();
    for (;;) {
      while (this.#isSecured && !this.#decrypted.isWanted && this.#failure === undefined) {
        await new Promise<void>((resolve) => this.#wake = resolve);
      }
      const { value: chunk } = await incoming.next();
      if (chunk === undefined) break;

      await this.#ciphertext.write(chunk);
    }
    // The engine is not told: to it, this end would be as good as close_notify.
    this.#baseEnded = true;
    if (this.#isSecured) return await this.#expectNotify();
    await this.#wait();
    if (!this.#isSecured) throw endedEarly();
  }

  async #carryOut(): Promise<void> {
    const chunk = new Uint8Array(CHUNK_SIZE);
    for (;;) {
      const size = await this.#ciphertext.read(chunk);
      if (size === null) break;
      await this.#base.write(chunk.subarray(0, size));
    }
    if (this.#failure === undefined) await this.#base.closeWrite();
  }

  async #read(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    this.#reads++;
    const chunk = this.#decrypted.take();
    this.#wake?.();
    if (this.#baseEnded) void this.#expectNotify();
    const next = await chunk;
    if (next === undefined && this.#failure !== undefined) throw this.#failure;
    return next;
  }

  #encrypt(bytes: Uint8Array<ArrayBufferLike>): Promise<void> {
    // Deno 2.9 breaks the connection with EPERM when nothing is written.
    if (bytes.length === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#engine.write(bytes, (error) => error ? reject(error) : resolve());
    });
  }

  /**
   * RFC 8446 6.1: without close_notify, anybody may have made the end of the connection. That it has
   * not come is known when a reader gets nothing although the engine has everything.
   */
  async #expectNotify(): Promise<void> {
    const read = this.#reads;
    if (!this.#decrypted.isWanted) return;
    await this.#wait();
    if (!this.#decrypted.isWanted || this.#reads !== read) return;
    // Who reads is told; what has been written still goes out.
    this.#failure ??= truncated();
    this.#decrypted.end();
  }

  #wait(): Promise<void> {
    return sleepUntil(this.#clock, this.#clock.now() + PATIENCE_MS, this.#ended.signal);
  }

  /** Throws what `work` does; what ended the session comes before what that led to. */
  async #orFailure(work: () => Promise<void>): Promise<void> {
    await work().catch((error) => {
      throw this.#failure ?? brokenBy(error);
    });
    if (this.#failure !== undefined) throw this.#failure;
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    this.#wake?.();
    this.#ended.abort();
    this.#decrypted.end();
    for (const socket of [this.#engine, this.#far, this.#near]) socket.destroy();
  }
}
