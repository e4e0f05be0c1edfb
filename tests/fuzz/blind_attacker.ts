import type { CoreStack } from "../../core/stack/stack.ts";
import type { Tcb } from "../../core/tcp/tcb.ts";
import { ipHeaderLength } from "../../core/wire/ip.ts";
import { FLAG } from "../../core/wire/tcp.ts";
import { Dice } from "./dice.ts";
import { PacketWriter } from "./packet_writer.ts";

/** Distances of guessed numbers from the correct ones. */
const FAR = 0x10000000;

/**
 * An off-path attacker who knows the addresses and ports of a connection (RFC 5961 1) and guesses
 * sequence numbers. Some guesses hit the window, but never the exact number.
 */
export class BlindAttacker {
  readonly #dice: Dice;
  readonly #writer = new PacketWriter();

  constructor(seed: number) {
    this.#dice = new Dice(seed);
  }

  /** Sends a segment to the stack that has `tcb`, spoofing its peer. */
  attack(core: CoreStack, tcb: Tcb, now: number): void {
    if (this.#dice.chance(0.2)) this.#writeError(tcb);
    else this.#writeSegment(tcb);
    core.receive(this.#writer.bytes, this.#writer.size, "full", 0, now);
  }

  #writeSegment(tcb: Tcb): void {
    const dice = this.#dice;
    const inWindow = tcb.rcvNxt + 1 + dice.below(Math.max(1, tcb.rcvEdge - tcb.rcvNxt - 1) | 0);
    const far = tcb.rcvNxt + FAR + dice.below(FAR);
    const [seq, ack, flags] = dice.of([
      // RFC 5961 3.2: a RST whose sequence number is not exactly RCV.NXT.
      [inWindow, 0, FLAG.RST],
      [far, tcb.sndNxt, FLAG.RST | FLAG.ACK],
      // RFC 5961 4.2: a SYN.
      [inWindow, 0, FLAG.SYN],
      [far, tcb.sndNxt, FLAG.SYN | FLAG.ACK],
      // RFC 5961 5.2: text whose acknowledgement is guessed.
      [inWindow, tcb.sndNxt + FAR, FLAG.ACK],
      [inWindow, tcb.sndUna - FAR, FLAG.ACK | FLAG.FIN],
      [far, tcb.sndNxt, FLAG.ACK],
    ]);
    this.#writer.tcp(tcb.remote, tcb.local, {
      sourcePort: tcb.remotePort,
      destinationPort: tcb.localPort,
      seq: seq | 0,
      ack: ack | 0,
      flags,
      window: dice.random.uint32() & 0xffff,
      urgentPointer: 0,
      ecn: dice.below(4),
      options: [],
      textLength: (flags & FLAG.ACK) === 0 ? 0 : dice.of([0, 1, 1000]),
    });
  }

  /** RFC 5927: any ICMP error, about a segment that may or may not be in flight. */
  #writeError(tcb: Tcb): void {
    const dice = this.#dice;
    const seq = dice.chance(0.5) ? tcb.sndUna : tcb.sndNxt + FAR;
    this.#writer.tcp(tcb.local, tcb.remote, {
      sourcePort: tcb.localPort,
      destinationPort: tcb.remotePort,
      seq: seq | 0,
      ack: 0,
      flags: FLAG.ACK,
      window: 0,
      urgentPointer: 0,
      ecn: 0,
      options: [],
      textLength: 0,
    });
    const body = this.#writer.bytes.slice(0, this.#writer.size);
    this.#writer.icmp(tcb.remote, tcb.local, {
      type: tcb.local.isV4 ? dice.of([3, 4, 11, 12]) : dice.of([1, 2, 3, 4]),
      code: dice.below(8),
      rest: dice.of([0, 68, 600, 1280, 1400]),
      body,
      quoted: ipHeaderLength(tcb.local) + 8,
    });
  }
}
