/**
 * One TLS connection on top of a connection of the stack.
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
import { socketLimits } from "../../../host/socket_limits.ts";
import { EvictedError, noSlot } from "../../../../plugins/shared/shared_limit.ts";
import { clientOf } from "../../../../plugins/shared/client_rotation.ts";
import { brokenBy, endedEarly, truncated } from "../faults.ts";
import type { ServerSettings, TlsInfo, TlsSession } from "../engine.ts";
import { Decrypted } from "./decrypted.ts";
import { infoOf } from "./info.ts";
import { openSocketPair } from "./socket_pair.ts";

/** Maximum plaintext of a record, in bytes (RFC 8446 5.1). */
const CHUNK_SIZE = 16 * 1024;
/** How long to wait for the engine to report close_notify, once it has all ciphertext, in milliseconds. */
const PATIENCE_MS = 500;
const ABORTED = "the connection was aborted by this side";

/**
 * The runtime's TLS on top of a socket of the stack, with a pair of kernel sockets in between. On a
 * JavaScript stream, Bun 1.4 accepts writes without bound and closes both directions when the peer
 * closes one. Deno 2.9 decrypts without bound, and misses the end of the stream while it is paused.
 * The engine is therefore never paused; instead it gets ciphertext only while a reader waits.
 */
export class RuntimeSession implements TlsSession {
  readonly #base: TcpSocket;
  readonly #clock: Clock;
  readonly #clients: ServerSettings["clients"];
  /** The near end of the socket pair, which carries ciphertext. */
  readonly #near: Socket;
  readonly #ciphertext: HostConnection;
  /** The far end, under the engine. */
  readonly #far: Socket;
  readonly #engine: TLSSocket;
  readonly #decrypted: Decrypted = new Decrypted();
  readonly #secured: Promise<void>;
  readonly #allSent: Promise<void>;
  #baseEnded = false;
  #isSecured = false;
  /** Number of reads so far. */
  #reads = 0;
  /** Resumes {@link RuntimeSession.#carryIn}. */
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
   * Starts a handshake as the server.
   *
   * @throws {PeerFaultError} The client closed the connection while it waited for a socket pair.
   * @throws {Error} The kernel refused to create the sockets.
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
    const { hostname } = base.remoteAddr;
    const slot = socketLimits().all.enter(hostname, () => base.abort(new EvictedError()));
    if (slot === undefined) throw noSlot();
    try {
      const isWanted = () => isOpen && base.state === "ESTABLISHED";
      const pair = await openSocketPair(clientOf(hostname), isWanted);
      pair[0].once("close", () => slot.leave());
      return new RuntimeSession(base, clock, pair, options, clients);
    } catch (error) {
      slot.leave();
      throw error;
    }
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
      write: (bytes) => this.#runOrThrowCause(() => this.#encrypt(bytes)),
      closeWrite: () =>
        this.#runOrThrowCause(async () => {
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
    // The end is not passed to the engine, which would take it for close_notify.
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
    // On Deno 2.9 an empty write fails the connection with EPERM.
    if (bytes.length === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#engine.write(bytes, (error) => error ? reject(error) : resolve());
    });
  }

  /**
   * Detects an end without close_notify, which may be a truncation attack (RFC 8446 6.1): the engine has
   * all ciphertext, and a waiting reader still gets nothing.
   */
  async #expectNotify(): Promise<void> {
    const read = this.#reads;
    if (!this.#decrypted.isWanted) return;
    await this.#wait();
    if (!this.#decrypted.isWanted || this.#reads !== read) return;
    // Readers get the error; written data is still sent.
    this.#failure ??= truncated();
    this.#decrypted.end();
  }

  #wait(): Promise<void> {
    return sleepUntil(this.#clock, this.#clock.now() + PATIENCE_MS, this.#ended.signal);
  }

  /** Runs `work`. If it fails, throws the error that ended the session, if any, rather than its consequence. */
  async #runOrThrowCause(work: () => Promise<void>): Promise<void> {
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
