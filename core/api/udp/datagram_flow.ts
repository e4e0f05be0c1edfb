/**
 * A flow of the core as a {@link DatagramFlow}.
 *
 * @module
 */
import type { Flow, FlowRefusal } from "../../udp/flow.ts";
import { netAddr } from "../addresses.ts";
import { TcpError } from "../errors.ts";
import type { Driver } from "../runtime/driver.ts";
import type { Owner } from "../runtime/owner_notifier.ts";
import type { HandlerEnvironment, OnEnd } from "../runtime/handler_context.ts";
import { bytesFault } from "../tcp/bytes.ts";
import type { NetAddr } from "../types.ts";
import type { DatagramFlow, FlowStats } from "./datagram.ts";
import { sendRefusal, udpError } from "./datagram_errors.ts";

type Bytes = Uint8Array<ArrayBuffer>;

interface Waiter {
  resolve(datagram: Bytes | null): void;
  reject(error: TcpError): void;
}

/** The longest idle timeout. A flow must not stay open forever. */
const MAX_IDLE_MS = 2 ** 31 - 1;

/** Owner of a flow in the core. */
export class StackFlow implements DatagramFlow, Owner {
  readonly localAddr: NetAddr;
  readonly remoteAddr: NetAddr;
  /** The environment of the handler that serves it. */
  readonly environment: HandlerEnvironment;
  readonly #flow: Flow;
  readonly #driver: Driver;
  #waiters: Waiter[] = [];
  #onEnd: OnEnd[] | undefined;
  readonly #counts = { datagramsIn: 0, bytesIn: 0, datagramsOut: 0, bytesOut: 0 };
  #closed = false;

  constructor(flow: Flow, driver: Driver, environment: HandlerEnvironment) {
    this.#flow = flow;
    this.#driver = driver;
    this.environment = environment;
    this.localAddr = netAddr(flow.local, flow.localPort, "udp");
    this.remoteAddr = netAddr(flow.remote, flow.remotePort, "udp");
    flow.handle = this;
  }

  /** Calls `callback` when the flow has ended, with the error if there is one. */
  onEnd(callback: OnEnd): void {
    if (this.hasEnded) callback(this.#error);
    else (this.#onEnd ??= []).push(callback);
  }

  /** Whether the flow has ended. */
  get hasEnded(): boolean {
    return this.#flow.end !== undefined;
  }

  onEvent(): void {
    while (this.#waiters.length > 0 && this.#flow.queue.count > 0) {
      this.#waiters.shift()!.resolve(this.#take());
    }
    if (!this.hasEnded) return;
    for (const callback of this.#onEnd?.splice(0) ?? []) callback(this.#error);
    for (const waiter of this.#waiters.splice(0)) this.#settleAtEnd(waiter);
  }

  receive(): Promise<Bytes | null> {
    return new Promise((resolve, reject) => {
      const waiter = { resolve, reject };
      if (this.#flow.queue.count > 0) resolve(this.#take());
      else if (this.hasEnded) this.#settleAtEnd(waiter);
      // An array created with its item takes less memory than one that grows, and most flows have
      // one reader.
      else if (this.#waiters.length === 0) this.#waiters = [waiter];
      else this.#waiters.push(waiter);
    });
  }

  #take(): Bytes {
    const { data } = this.#flow.queue.shift()!;
    this.#counts.datagramsIn++;
    this.#counts.bytesIn += data.length;
    return data;
  }

  #settleAtEnd({ resolve, reject }: Waiter): void {
    const error = this.#error;
    if (error === undefined) resolve(null);
    else reject(error);
  }

  get #error(): TcpError | undefined {
    const { end } = this.#flow;
    return end === "CONNECTION_REFUSED" || end === "UNREACHABLE"
      ? udpError(end, this.localAddr, this.remoteAddr)
      : undefined;
  }

  send(datagram: Uint8Array): Promise<number> {
    const error = bytesFault("send", datagram) ?? this.#closedError();
    if (error !== undefined) return Promise.reject(error);
    const { core } = this.#driver;
    const refused = core.udp.sendInFlow(this.#flow, datagram, this.#driver.now());
    if (refused !== undefined) {
      return Promise.reject(sendRefusal(refused, datagram, this.remoteAddr));
    }
    this.#counts.datagramsOut++;
    this.#counts.bytesOut += datagram.length;
    this.#driver.touchAfterDatagram();
    return Promise.resolve(datagram.length);
  }

  #closedError(): TcpError | undefined {
    if (!this.#closed) return undefined;
    return new TcpError("CLOSING", "The flow has been closed", {
      local: this.localAddr,
      remote: this.remoteAddr,
    });
  }

  setIdleTimeout(ms: number): void {
    if (!(typeof ms === "number" && ms > 0)) {
      throw new TypeError(
        `setIdleTimeout: ${ms} is not an idle timeout; use milliseconds, more than 0`,
      );
    }
    const { core } = this.#driver;
    core.udp.flows.setIdleTimeout(this.#flow, Math.min(ms, MAX_IDLE_MS), this.#driver.now());
    this.#driver.touch();
  }

  refuse(why: FlowRefusal = "port"): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#driver.core.udp.refuseFlow(this.#flow, why, this.#driver.now());
    this.#driver.touch();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#driver.core.udp.flows.close(this.#flow);
    this.#driver.touch();
  }

  /** Ends the flow after its handler has finished. */
  finish(): void {
    if (this.#closed) return;
    const hasReceived = this.#counts.datagramsIn > 0;
    if (!hasReceived) return this.close();
    this.#closed = true;
    this.#driver.core.udp.flows.finish(this.#flow, this.#driver.now());
    this.#driver.touch();
  }

  stats(): FlowStats {
    return { ...this.#counts };
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<Bytes> {
    let isOver = false;
    const result = (value: Bytes | null): IteratorResult<Bytes> => {
      if (value !== null) return { done: false, value };
      isOver = true;
      return { done: true, value: undefined };
    };
    const iterator: AsyncIterableIterator<Bytes> = {
      [Symbol.asyncIterator]: () => iterator,
      // Not a generator: its extra promises would keep the answers to a burst from leaving together.
      next: () => {
        if (isOver) return Promise.resolve(result(null));
        if (this.#flow.queue.count > 0) return Promise.resolve(result(this.#take()));
        return this.receive().then(result, (error) => {
          isOver = true;
          throw error;
        });
      },
      return: () => Promise.resolve(result(null)),
    };
    return iterator;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }
}
