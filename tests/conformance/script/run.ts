/**
 * Runs a script: inbound packets are injected at their time, and outbound packets compared.
 *
 * @module
 */
import { decode } from "../../support/dsl/decode.ts";
import { formatSegment, formatTime } from "../../support/dsl/notation.ts";
import type { Sent } from "../../support/dsl/wire.ts";
import { describe, type Flow, wanted } from "./flow.ts";
import type { Script, ScriptEvent, ScriptLine, ScriptSegment } from "./parse.ts";
import { NotExpressible, type Target } from "./target.ts";

/** Runs `script`; rejects with both sides of the first difference. */
export async function runScript(script: Script, target: Target): Promise<void> {
  await new Run(script, target).run();
}

class Run {
  readonly #script: Script;
  readonly #target: Target;
  /** Scheduled time of the previous line. */
  #at = 0;
  #ignoresPureAcks = false;
  #ignoresPush = false;
  readonly #log: string[] = [];

  constructor(script: Script, target: Target) {
    this.#script = script;
    this.#target = target;
  }

  async run(): Promise<void> {
    for (const line of this.#script.lines) {
      try {
        await this.#step(line);
      } catch (error) {
        if (error instanceof NotExpressible) throw error;
        throw new Error(this.#report(line, error as Error));
      }
      this.#log.push(`  ${formatTime(this.#at)} ${withoutTime(line.text)}`);
    }
    const extra = await this.#nextPacket(this.#target.elapsed);
    if (extra !== undefined) {
      throw new Error([...this.#log, "- the end", `+ ${this.#describeSent(extra)}`].join("\n"));
    }
  }

  async #step({ time, event }: ScriptLine): Promise<void> {
    const from = time.relative ? this.#at + time.from : time.from;
    const to = time.relative ? this.#at + time.to : time.to;
    if (event.kind === "out") {
      for (const piece of pieces(event.segment)) await this.#expect(event.flow, piece, from, to);
      return;
    }
    if (event.kind === "call" && this.#takesOrder(event.name)) return;
    this.#at = from;
    await this.#passTime(from);
    if (!this.#target.isStrict) this.#at = Math.max(from, this.#target.elapsed);
    await this.#act(event);
  }

  /** Handles directives of the comparison, which take no time. */
  #takesOrder(name: string): boolean {
    if (name === "ignoreAcks") this.#ignoresPureAcks = true;
    else if (name === "ignorePush") this.#ignoresPush = true;
    else return false;
    return true;
  }

  async #act(event: ScriptEvent): Promise<void> {
    if (event.kind === "in") {
      const flow = this.#target.flow(event.flow);
      for (const piece of pieces(event.segment)) await this.#target.inject(flow.packet(piece));
    } else if (event.kind === "icmp") {
      await this.#target.inject(this.#target.flow(event.flow).icmpPacket(event.icmp));
    } else if (event.kind === "call") {
      await this.#call(event);
    }
  }

  async #call(event: ScriptEvent & { kind: "call" }): Promise<void> {
    const got = await this.#target.call(event.flow, event.name, event.args);
    const expected = event.result ?? defaultResult(event.name, event.args);
    if (got !== undefined && expected !== undefined && got !== expected) {
      throw new Difference(expected, got);
    }
  }

  /** Advances the time; nothing may be sent. */
  async #passTime(until: number): Promise<void> {
    const early = await this.#nextPacket(Math.max(until, this.#target.elapsed));
    if (early !== undefined) throw new Difference("nothing", this.#describeSent(early));
    await this.#target.waitUntil(Math.max(until, this.#target.elapsed));
  }

  async #expect(number: number, segment: ScriptSegment, from: number, to: number): Promise<void> {
    const toleranceMs = this.#target.toleranceMs(to - this.#at);
    const flow = this.#target.flow(number);
    const sent = await this.#nextPacket(Math.max(to + toleranceMs, this.#target.elapsed));
    if (sent === undefined) throw new Difference(undefined, "nothing was sent");
    this.#at = from === to && this.#target.isStrict ? from : sent.at;
    const { packet } = sent;
    const isMine = packet.protocol === "tcp" && flow.owns(packet);
    if (!isMine) throw new Difference(undefined, this.#describeSent(sent));
    flow.learn(packet);
    const got = flow.noted(packet);
    const gotEcn = segment.ecn === undefined ? undefined : packet.trafficClass & 3;
    const expected = describe(
      wanted(segment, got, {
        ignoresPush: this.#ignoresPush,
        isStrict: this.#target.isStrict,
      }),
      segment.ecn,
    );
    const isInTime = sent.at >= from - toleranceMs && sent.at <= to + toleranceMs;
    if (!isInTime || expected !== describe(got, gotEcn)) {
      throw new Difference(
        `${range(from, to)} > ${expected}`,
        `${formatTime(sent.at)} > ${describe(got, gotEcn)}`,
      );
    }
    const wrong = flow.fromStack.firstDifference(got.seq, packet.text);
    if (wrong >= 0) throw new Error(`byte ${wrong} differs from what was written`);
  }

  async #nextPacket(until: number): Promise<Sent | undefined> {
    for (;;) {
      const sent = await this.#target.nextPacket(until);
      if (sent === undefined || !(this.#ignoresPureAcks && isPureAck(sent))) return sent;
    }
  }

  #describeSent(sent: Sent): string {
    const { packet } = sent;
    if (packet.protocol === "icmp") return `icmp type ${packet.type} code ${packet.code}`;
    const owner = this.#flows().find((flow) => flow.owns(packet));
    const shown = owner === undefined
      ? `${packet.source}:${packet.sourcePort} > ${packet.destination}:${packet.destinationPort}`
      : formatSegment(owner.noted(packet));
    return `${formatTime(sent.at)} > ${shown}`;
  }

  #flows(): Flow[] {
    const numbers = new Set(this.#script.lines.map(({ event }) => event.flow));
    return [...numbers].map((number) => this.#target.flow(number));
  }

  #report(line: ScriptLine, error: Error): string {
    const both = error instanceof Difference
      ? [`- ${error.expected ?? line.text}`, `+ ${error.got}`]
      : [`- ${line.text}`, `+ ${error.message}`];
    return [`line ${line.number} of the script`, ...this.#log.slice(-16), ...both].join("\n");
  }
}

/** A difference between the script and the stack. */
class Difference extends Error {
  readonly expected: string | undefined;
  readonly got: string;

  constructor(expected: string | undefined, got: string) {
    super(`expected ${expected}, got ${got}`);
    this.expected = expected;
    this.got = got;
  }
}

/** The segments of a line: one, or several as given by `x1000`. */
function pieces(segment: ScriptSegment): ScriptSegment[] {
  const { seq, length, cut } = segment;
  if (cut === undefined) return [segment];
  const count = Math.ceil(length / cut);
  return Array.from({ length: count }, (_, i) => {
    const start = i * cut;
    return { ...segment, seq: seq + start, length: Math.min(cut, length - start) };
  });
}

/** `read 10` and `write 10` return 10 unless the script gives another result. */
function defaultResult(name: string, args: readonly string[]): string | undefined {
  if (name === "expect") return args.slice(1).join(" ");
  return name === "read" || name === "write" ? args[0] : "ok";
}

function isPureAck({ packet }: Sent): boolean {
  return packet.protocol === "tcp" && packet.flags === 16 && packet.text.length === 0;
}

function withoutTime(text: string): string {
  return text.replace(/^\+?[\d.]+(~\+?[\d.]+)?\s+/, "");
}

function range(from: number, to: number): string {
  return from === to ? formatTime(from) : `${formatTime(from)} to ${formatTime(to)}`;
}

/** A packet with its time. */
export function sentAt(at: number, bytes: Uint8Array): Sent {
  return { at, packet: decode(bytes) };
}
