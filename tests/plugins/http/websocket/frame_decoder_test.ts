import { describe, expect, test } from "bun:test";
import { FrameDecoder } from "../../../../plugins/http/websocket/frame_decoder.ts";
import { latin1, seeded, textOf } from "../support.ts";
import { clientClose, type ClientFrame, clientFrame } from "./support.ts";

const frames = (...list: ClientFrame[]) => list.map(clientFrame).join("");

describe("FrameDecoder", () => {
  // Messages of each type and length form, joined and split, with control frames in between.
  for (
    const [what, bytes, events] of [
      ["a text", frames({ opcode: 1, payload: "Gr\u00fc\u00dfe" }), ["text Gr\u00fc\u00dfe"]],
      ["an empty text", frames({ opcode: 1 }), ["text "]],
      ["a binary", frames({ opcode: 2, payload: "\x00\x01" }), ["binary \x00\x01"]],
      ["16 bits of length", frames({ opcode: 1, payload: "x".repeat(126) }), [
        `text ${"x".repeat(126)}`,
      ]],
      ["two messages", frames({ opcode: 1, payload: "a" }, { opcode: 2, payload: "b" }), [
        "text a",
        "binary b",
      ]],
      [
        "three fragments with a Ping within, some empty",
        frames(
          { opcode: 1, payload: "ab", fin: false },
          { opcode: 9, payload: "p" },
          { opcode: 0, fin: false },
          { opcode: 0, payload: "c" },
          { opcode: 10 },
        ),
        ["ping p", "text abc", "pong"],
      ],
      [
        "a character cut by fragments",
        frames(
          { opcode: 1, payload: Uint8Array.of(0xc3), fin: false },
          { opcode: 0, payload: Uint8Array.of(0xbc) },
        ),
        ["text \u00fc"],
      ],
      ["a byte order mark", frames({ opcode: 1, payload: "\ufeffa" }), ["text \ufeffa"]],
      ["a Close without a code", clientClose(), ["close 1005 "]],
      ["a Close", clientClose(1000, "bye"), ["close 1000 bye"]],
      ["nothing after a Close", clientClose(4999) + frames({ opcode: 1 }), ["close 4999 "]],
    ] as [what: string, bytes: string, events: string[]][]
  ) {
    test(`reads ${what}, whole and at every split point (RFC 6455 5)`, () => {
      expect(decode(bytes)).toEqual({ events, fault: undefined });
      for (let split = 1; split < bytes.length; split++) {
        expect(decode(bytes, split)).toEqual({ events, fault: undefined });
      }
    });
  }

  // Above 65535 bytes the length has 64 bits.
  test("reads 64 bits of length (RFC 6455 5.2)", () => {
    const payload = "x".repeat(70_000);
    expect(decode(frames({ opcode: 1, payload })).events).toEqual([`text ${payload}`]);
  });

  // Each error has its close code.
  for (
    const [what, bytes, code] of [
      ["a frame without a mask", frames({ opcode: 1, payload: "a", masked: false }), 1002],
      ["reserved bit 1", frames({ opcode: 1, reserved: 4 }), 1002],
      ["reserved bit 3", frames({ opcode: 1, reserved: 1 }), 1002],
      ["opcode 3", frames({ opcode: 3 }), 1002],
      ["opcode 11", frames({ opcode: 11 }), 1002],
      ["a continuation without a message", frames({ opcode: 0 }), 1002],
      ["a continuation after a final frame", frames({ opcode: 1 }, { opcode: 0 }), 1002],
      ["a message within a message", frames({ opcode: 1, fin: false }, { opcode: 1 }), 1002],
      ["a fragmented Ping", frames({ opcode: 9, fin: false }), 1002],
      ["a Ping of 126 bytes", frames({ opcode: 9, payload: "x".repeat(126) }), 1002],
      ["16 bits for 125", frames({ opcode: 1, payload: "x".repeat(125), lengthBits: 16 }), 1002],
      ["64 bits for 126", frames({ opcode: 1, payload: "x".repeat(126), lengthBits: 64 }), 1002],
      ["a length above 2^63", "\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", 1002],
      ["a Close of one byte", frames({ opcode: 8, payload: "a" }), 1002],
      ["a Close with 0", clientClose(0), 1002],
      ["a Close with 999", clientClose(999), 1002],
      ["a Close with 1004", clientClose(1004), 1002],
      ["a Close with 1005", clientClose(1005), 1002],
      ["a Close with 1006", clientClose(1006), 1002],
      ["a Close with 1015", clientClose(1015), 1002],
      ["a Close with 2999", clientClose(2999), 1002],
      ["a Close with 5000", clientClose(5000), 1002],
      [
        "a reason that is not UTF-8",
        frames({ opcode: 8, payload: Uint8Array.of(3, 232, 255) }),
        1007,
      ],
      ["a text that is not UTF-8", frames({ opcode: 1, payload: Uint8Array.of(0xc0, 0x80) }), 1007],
      [
        "a text that ends within a character",
        frames({ opcode: 1, payload: Uint8Array.of(0xc3) }),
        1007,
      ],
      [
        "a surrogate in a text",
        frames({ opcode: 1, payload: Uint8Array.of(0xed, 0xa0, 0x80) }),
        1007,
      ],
      ["a message above the bound", frames({ opcode: 2, payload: "x".repeat(100_001) }), 1009],
      [
        "fragments above the bound",
        frames(
          { opcode: 2, payload: "x".repeat(60_000), fin: false },
          { opcode: 0, payload: "x".repeat(60_000) },
        ),
        1009,
      ],
    ] as [what: string, bytes: string, code: number][]
  ) {
    test(`finds ${what} (RFC 6455 5, 7.4)`, () => {
      expect(decode(bytes).fault).toBe(code);
      const step = Math.ceil(bytes.length / 50);
      for (let split = 1; split < bytes.length; split += step) {
        expect(decode(bytes, split).fault).toBe(code);
      }
    });
  }

  // The header is enough: no payload has to be stored.
  test("detects a message above the limit before its payload", () => {
    expect(decode("\x82\xff\0\0\0\0\x7f\xff\xff\xff\0\0\0\0").fault).toBe(1009);
  });

  // Bytes of every value, masked with keys of every sign, whole and split where the key is rotated.
  test("unmasks payloads of every length (RFC 6455 5.3)", () => {
    const random = seeded(5);
    for (let length = 0; length < 300; length += length < 20 || length > 250 ? 1 : 37) {
      const payload = Uint8Array.from({ length }, () => random() * 256);
      const key = Array.from({ length: 4 }, () => Math.floor(random() * 256));
      const bytes = clientFrame({ opcode: 2, payload, key });
      const split = Math.floor(random() * bytes.length);
      for (const cuts of [[], [split], [bytes.length - 3], [bytes.length - 2, bytes.length - 1]]) {
        expect(decode(bytes, ...cuts).events).toEqual([`binary ${textOf(payload)}`]);
      }
    }
  });

  // 1000 random conversations, split at random.
  test("reads random messages, split at random", () => {
    const random = seeded(3);
    const below = (n: number) => Math.floor(random() * n);
    for (let round = 0; round < 1000; round++) {
      let bytes = "";
      const events: string[] = [];
      for (let message = 0; message < 3; message++) {
        const parts = Array.from({ length: 1 + below(3) }, () => "m".repeat(below(300)));
        parts.forEach((payload, i) => {
          if (random() < 0.3) {
            bytes += clientFrame({ opcode: 9, payload: "p" });
            events.push("ping p");
          }
          bytes += clientFrame({ opcode: i === 0 ? 1 : 0, payload, fin: i === parts.length - 1 });
        });
        events.push(`text ${parts.join("")}`);
      }
      const cuts = Array.from({ length: below(6) }, () => below(bytes.length)).sort((a, b) =>
        a - b
      );
      expect(decode(bytes, ...cuts)).toEqual({ events, fault: undefined });
    }
  });
});

function decode(text: string, ...cuts: number[]): { events: string[]; fault: number | undefined } {
  const events: string[] = [];
  const decoder = new FrameDecoder(100_000, {
    onText: (message) => events.push(`text ${message}`),
    onBinary: (message) => events.push(`binary ${textOf(message)}`),
    onPing: (payload) => events.push(`ping ${textOf(payload)}`),
    onPong: () => events.push("pong"),
    onClose: (code, reason) => events.push(`close ${code} ${reason}`),
  });
  const bytes = latin1(text);
  let at = 0;
  for (const end of [...cuts, bytes.length]) at = decoder.decode(bytes, at, end);
  return { events, fault: decoder.fault?.code };
}
