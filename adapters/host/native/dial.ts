/**
 * Opens TCP and Unix connections through foreign functions.
 *
 * @module
 */
import { lookup } from "node:dns/promises";
import { TcpError } from "../../../core/api/errors.ts";
import { formatHostPort, type HostPort } from "../../../core/api/host_port.ts";
import type { CancelSignal } from "../../../core/api/runtime/cancellation.ts";
import { IpAddress } from "../../../core/wire/address.ts";
import { DEFAULT_KEEP_ALIVE_MS } from "../../../plugins/shared/dial.ts";
import type { DialOptions, DialTarget } from "../../../plugins/shared/host_network.ts";
import {
  AF_UNIX,
  type Bytes,
  EINPROGRESS,
  EINTR,
  POLLERR,
  POLLHUP,
  SOCK_STREAM,
} from "../../runtime/libc/linux.ts";
import { hostError } from "../connection.ts";
import { NativeConnection } from "./connection.ts";
import type { ReadyOwner } from "./event_set.ts";
import { familyOf, ipSocketAddress, unixSocketAddress } from "./socket_address.ts";
import type { NativeSockets } from "./sockets.ts";

/** Timeout of the attempt to one address if the name has more addresses, in milliseconds. */
const ATTEMPT_MS = 250;

/**
 * Connects through the host's kernel. The addresses of a name are tried in turn.
 *
 * @throws {TcpError} The connection was refused or cannot be made, or `signal` was aborted.
 */
export function dialNative(
  sockets: NativeSockets,
  target: DialTarget,
  signal?: CancelSignal,
  options: DialOptions = {},
): Promise<NativeConnection> {
  if (signal?.aborted) return Promise.reject(signal.reason);
  if ("path" in target) {
    const address = unixSocketAddress(target.path);
    return address === undefined
      ? Promise.reject(
        new TcpError("INVALID_ADDRESS", `the path ${target.path} is longer than 107 bytes`),
      )
      : attempt(sockets, address, target, signal, options);
  }
  const ip = IpAddress.parse(target.hostname);
  return ip === undefined
    ? dialName(sockets, target, signal, options)
    : attempt(sockets, ipSocketAddress(ip, target.port), target, signal, options);
}

async function dialName(
  sockets: NativeSockets,
  { hostname, port }: HostPort,
  signal: CancelSignal | undefined,
  options: DialOptions,
): Promise<NativeConnection> {
  const found = await lookup(hostname, { all: true, verbatim: true }).catch((error) => {
    throw hostError(error);
  });
  let failure: unknown;
  for (const [index, { address }] of found.entries()) {
    throwIfAborted(signal);
    const ip = IpAddress.parse(address);
    // A link-local address with a zone cannot be parsed.
    if (ip === undefined) continue;
    const target = { hostname: address, port };
    const timeoutMs = index < found.length - 1 ? ATTEMPT_MS : undefined;
    try {
      return await attempt(sockets, ipSocketAddress(ip, port), target, signal, options, timeoutMs);
    } catch (error) {
      throwIfAborted(signal);
      failure = error;
    }
  }
  throw failure ?? new TcpError("INVALID_ADDRESS", `${hostname} has no usable address`);
}

function throwIfAborted(signal: CancelSignal | undefined): void {
  if (signal?.aborted) throw signal.reason;
}

function attempt(
  sockets: NativeSockets,
  address: Bytes,
  target: DialTarget,
  signal: CancelSignal | undefined,
  { keepAliveMs = DEFAULT_KEEP_ALIVE_MS }: DialOptions,
  timeoutMs?: number,
): Promise<NativeConnection> {
  return new Promise((resolve, reject) => {
    try {
      const fd = connecting(sockets, address, target, keepAliveMs);
      new Attempt({ sockets, fd, target, signal, timeoutMs, resolve, reject }).start();
    } catch (error) {
      reject(hostError(error as Error));
    }
  });
}

/** Begins to connect. */
function connecting(
  sockets: NativeSockets,
  address: Bytes,
  target: DialTarget,
  keepAliveMs: number,
): number {
  const { host: { libc, errno } } = sockets;
  const family = familyOf(address);
  const fd = sockets.open(family, SOCK_STREAM);
  if (family !== AF_UNIX) sockets.setTcpOptions(fd, keepAliveMs);
  if (libc.connect(fd, address, address.length) === 0) return fd;
  const failed = errno();
  if (failed === EINPROGRESS || failed === EINTR) return fd;
  const error = sockets.error("connect", failed);
  libc.close(fd);
  throw withTarget(error, target);
}

interface AttemptParts {
  readonly sockets: NativeSockets;
  readonly fd: number;
  readonly target: DialTarget;
  readonly signal: CancelSignal | undefined;
  readonly timeoutMs: number | undefined;
  resolve(connection: NativeConnection): void;
  reject(error: unknown): void;
}

/** A connection that is being opened. */
class Attempt implements ReadyOwner {
  readonly #parts: AttemptParts;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isOver = false;

  constructor(parts: AttemptParts) {
    this.#parts = parts;
  }

  start(): void {
    const { sockets, fd, signal, timeoutMs, target } = this.#parts;
    if (!sockets.events.add(fd, this)) {
      const error = sockets.error("epoll_ctl");
      return this.#fail(hostError(error));
    }
    signal?.addEventListener("abort", this);
    if (timeoutMs === undefined) return;
    this.#timer = setTimeout(() => {
      const name = nameOf(target);
      this.#fail(new TcpError("TIMED_OUT", `${name} did not answer within ${timeoutMs} ms`));
    }, timeoutMs);
  }

  /** Called when the signal is aborted. */
  handleEvent(): void {
    this.#fail(this.#parts.signal?.reason);
  }

  onReady(events: number): void {
    if (this.#isOver) return;
    const { sockets, fd, target, resolve } = this.#parts;
    if (events & (POLLERR | POLLHUP)) {
      const errno = sockets.takeError(fd);
      // If the peer has accepted and already reset the connection, the connection's reader gets the error.
      if (errno !== 0) {
        return this.#fail(hostError(withTarget(sockets.error("connect", errno), target)));
      }
    }
    this.#end();
    const connection = new NativeConnection(sockets, fd);
    sockets.events.transfer(fd, connection);
    connection.onReady(events);
    resolve(connection);
  }

  #fail(error: unknown): void {
    if (this.#isOver) return;
    this.#end();
    const { sockets, fd, reject } = this.#parts;
    sockets.close(fd);
    reject(error);
  }

  #end(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#parts.signal?.removeEventListener("abort", this);
  }
}

function withTarget<E extends Error>(error: E, target: DialTarget): E {
  error.message += ` ${nameOf(target)}`;
  return error;
}

function nameOf(target: DialTarget): string {
  return "path" in target ? target.path : formatHostPort(target);
}
