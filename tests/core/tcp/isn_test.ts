import { describe, expect, test } from "bun:test";
import { initialSequence, KeyedHash } from "../../../core/tcp/isn.ts";
import { IpAddress } from "../../../core/wire/address.ts";
import { inListen } from "../../support/dsl/builders.ts";
import { sipHash } from "../../support/dsl/sip_hash.ts";

const LOCAL = IpAddress.parse("10.0.0.2")!;
const REMOTE = IpAddress.parse("10.0.0.1")!;
const KEY = Uint8Array.from({ length: 16 }, (_, i) => i);

function isn(key: Uint8Array, localPort: number, remotePort: number, now: number): number {
  return initialSequence(new KeyedHash(key), LOCAL, localPort, REMOTE, remotePort, now) >>> 0;
}

/** The input of `KeyedHash`: two 64-bit words for each address, and 4 bytes. */
function message(
  local: IpAddress,
  localPort: number,
  remote: IpAddress,
  remotePort: number,
): Uint8Array {
  const words = [local, remote].flatMap(({ w0, w1, w2, w3 }) => [w1, w0, w3, w2]);
  words.push((localPort << 16) | remotePort);
  const bytes = new Uint8Array(36);
  const view = new DataView(bytes.buffer);
  for (const [i, word] of words.entries()) view.setInt32(i * 4, word, true);
  return bytes;
}

/** Reverses each half of a key. */
function swapped(key: Uint8Array): Uint8Array {
  return Uint8Array.from([...[...key.slice(0, 8)].reverse(), ...[...key.slice(8)].reverse()]);
}

describe("sipHash of the tests", () => {
  // The authors' example: key 00 to 0f, message 00 to 0e.
  test("returns the published value (SipHash-2-4, appendix A)", () => {
    const input = Uint8Array.from({ length: 15 }, (_, i) => i);
    expect(sipHash(KEY, input)).toBe(0xa129ca6149be45e5n);
  });
});

describe("KeyedHash", () => {
  // The lower half of the result of the plain algorithm, with the key in network byte order.
  test("is SipHash-2-4 of the 4-tuple (RFC 6528 3)", () => {
    const hash = new KeyedHash(KEY);
    for (const [local, remote] of [["10.0.0.2", "10.0.0.1"], ["fd00::2", "2001:db8::ffff:1"]]) {
      const [from, to] = [IpAddress.parse(local!)!, IpAddress.parse(remote!)!];
      for (
        const [localPort, remotePort] of [[80, 40_000], [65_535, 1], [49_152, 65_535]] as const
      ) {
        const whole = sipHash(swapped(KEY), message(from, localPort, to, remotePort));
        const low = Number(BigInt.asIntN(32, whole));
        expect(hash.connection(from, localPort, to, remotePort)).toBe(low);
      }
    }
  });
});

describe("initialSequence", () => {
  // The same secret, connection and time give the same number.
  test("is deterministic (RFC 6528 3)", () => {
    expect(isn(KEY, 80, 40_000, 5000)).toBe(isn(KEY, 80, 40_000, 5000));
  });

  // One tick every 4 microseconds for every connection.
  test("follows the clock (RFC 9293 3.4.1)", () => {
    const at = (now: number) => isn(KEY, 80, 40_000, now);
    expect((at(1) - at(0)) >>> 0).toBe(250);
    expect((at(0.004) - at(0)) >>> 0).toBe(1);
    expect((at(4_294_967_296 / 250 + 8) - at(8)) >>> 0).toBe(0);
  });

  // Another secret, port or address gives an unrelated number.
  test("differs for each connection and secret (RFC 6528 3)", () => {
    const other = KEY.map((byte) => byte ^ 1);
    const numbers = [
      isn(KEY, 80, 40_000, 0),
      isn(KEY, 80, 40_001, 0),
      isn(KEY, 81, 40_000, 0),
      isn(other, 80, 40_000, 0),
      initialSequence(new KeyedHash(KEY), REMOTE, 80, LOCAL, 40_000, 0) >>> 0,
    ];
    expect(new Set(numbers).size).toBe(numbers.length);
    for (const [i, number] of numbers.entries()) {
      for (const later of numbers.slice(i + 1)) {
        expect(Math.abs(number - later)).toBeGreaterThan(1000);
      }
    }
  });

  // On the wire: after 1 s the ISN of the same connection is 250,000 higher.
  test("is the sequence number of the SYN,ACK (RFC 6528 3)", () => {
    const first = inListen();
    first.send({ flags: "S" });
    first.recv({ flags: "S.", ack: 1 });
    const second = inListen({ start: 1_001_000 });
    second.send({ flags: "S" });
    second.recv({ flags: "S.", ack: 1 });
    expect((second.iss - first.iss) >>> 0).toBe(250_000);
  });
});
