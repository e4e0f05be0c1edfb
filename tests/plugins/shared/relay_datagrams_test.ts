import { describe, expect, test } from "bun:test";
import { TcpError, type TcpErrorCode } from "../../../core/api/errors.ts";
import type { FlowRefusal } from "../../../core/api/udp/datagram.ts";
import type { DatagramChannel } from "../../../plugins/shared/host_network.ts";
import { relayDatagrams } from "../../../plugins/shared/relay_datagrams.ts";
import { codeOf } from "../../support/conversation.ts";
import { settle } from "../../support/fake_socket.ts";

/** One side of a relay, which records its datagrams. */
class Side implements DatagramChannel {
  readonly sent: number[] = [];
  closed = false;
  /** The refusal sent to its peer. */
  refused: FlowRefusal[] = [];
  /** Minimum length of datagrams that cannot be sent. */
  tooLong = Infinity;
  #waiting: number[] = [];
  #next: PromiseWithResolvers<Uint8Array<ArrayBuffer> | null> | undefined;

  /** A datagram of this length comes in. */
  arrive(length: number): void {
    if (this.#next === undefined) return void this.#waiting.push(length);
    this.#next.resolve(new Uint8Array(length));
    this.#next = undefined;
  }

  fail(error: TcpError): void {
    this.#next!.reject(error);
  }

  receive(): Promise<Uint8Array<ArrayBuffer> | null> {
    const next = this.#waiting.shift();
    if (next !== undefined) return Promise.resolve(new Uint8Array(next));
    if (this.closed) return Promise.resolve(null);
    this.#next = Promise.withResolvers();
    return this.#next.promise;
  }

  send(datagram: Uint8Array): Promise<number> {
    if (datagram.length >= this.tooLong) return Promise.reject(new Error("too long"));
    this.sent.push(datagram.length);
    return Promise.resolve(datagram.length);
  }

  refuse(why: FlowRefusal = "port"): void {
    if (!this.closed) this.refused.push(why);
    this.close();
  }

  close(): void {
    this.closed = true;
    this.#next?.resolve(null);
  }
}

function relayed() {
  const [left, right] = [new Side(), new Side()];
  return { left, right, done: relayDatagrams(left, right) };
}

/** Ways in which a side may end, and the refusal for the peer of the other. */
const ENDS: readonly (readonly [TcpErrorCode, FlowRefusal[]])[] = [["UNREACHABLE", ["host"]], [
  "CLOSING",
  [],
]];

describe("relayDatagrams", () => {
  // In both directions, in order, including empty datagrams.
  test("carries datagrams both ways until a side ends", async () => {
    const { left, right, done } = relayed();
    for (const length of [3, 0, 7]) left.arrive(length);
    right.arrive(9);
    await settle();
    expect(right.sent).toEqual([3, 0, 7]);
    expect(left.sent).toEqual([9]);
    left.close();
    expect(await done).toBe(0);
    expect(right.closed).toBe(true);
  });

  // The right side cannot send large datagrams; smaller ones are carried.
  test("drops datagrams that cannot be sent, and counts them", async () => {
    const { left, right, done } = relayed();
    right.tooLong = 100;
    for (const length of [1, 100, 2, 200, 3]) left.arrive(length);
    await settle();
    expect(right.sent).toEqual([1, 2, 3]);
    right.close();
    expect(await done).toBe(2);
    expect(left.closed).toBe(true);
  });

  // The right side is unreachable: both are closed, and the error is thrown.
  test("ends with the error of a side", async () => {
    const { left, right, done } = relayed();
    const code = codeOf(done);
    right.fail(new TcpError("CONNECTION_REFUSED", "nobody is there"));
    expect(await code).toBe("CONNECTION_REFUSED");
    expect([left.closed, right.closed]).toEqual([true, true]);
    expect(left.refused).toEqual(["port"]);
  });

  // The peer learns that the host is unreachable, but not that the stack closes.
  test("passes on the reason if it concerns the peer", async () => {
    for (const [code, refusal] of ENDS) {
      const { left, right, done } = relayed();
      const ended = codeOf(done);
      right.fail(new TcpError(code, "nobody is there"));
      expect(await ended).toBe(code);
      expect([left.closed, left.refused]).toEqual([true, refusal]);
    }
  });
});
