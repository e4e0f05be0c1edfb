/**
 * Scripts in the notation of packetdrill: a time, then a segment in (`<`), a segment out (`>`) or a
 * call of the application. `docs/conformance.md` has the notation.
 *
 * @module
 */
import type { TcpOptions } from "../../support/dsl/encode.ts";
import { flagBits } from "../../support/dsl/notation.ts";

/** Time of an event, in milliseconds. */
export interface ScriptTime {
  /** Relative to the previous event, or to the start. */
  readonly relative: boolean;
  readonly from: number;
  /** An outbound segment may be sent between `from` and `to`. */
  readonly to: number;
}

/** A segment; numbers are relative to the initial sequence numbers. */
export interface ScriptSegment {
  /** The byte of control bits. */
  readonly flags: number;
  readonly seq: number;
  readonly length: number;
  readonly ack: number | undefined;
  readonly window: number | undefined;
  readonly urgentPointer: number;
  /** `undefined` stands for no options inbound, and any options outbound. */
  readonly options: TcpOptions | undefined;
  /** Whether TSval is not compared. */
  readonly anyTsVal: boolean;
  /** ECN codepoint of the IP header; `undefined` stands for 0 inbound, and any codepoint outbound. */
  readonly ecn: number | undefined;
  /** `x1000`: the text is split into segments of this size. */
  readonly cut: number | undefined;
}

/** An ICMP error about a segment sent by the stack. */
export interface ScriptIcmp {
  readonly type: number;
  readonly code: number;
  readonly mtu: number;
  readonly seq: number;
}

/** An event. `flow` identifies the connection; each has its own peer port. */
export type ScriptEvent =
  | { readonly kind: "in" | "out"; readonly flow: number; readonly segment: ScriptSegment }
  | { readonly kind: "icmp"; readonly flow: number; readonly icmp: ScriptIcmp }
  | {
    readonly kind: "call";
    readonly flow: number;
    readonly name: string;
    readonly args: readonly string[];
    readonly result: string | undefined;
  };

/** One line of a script. */
export interface ScriptLine {
  /** Counted from 1. */
  readonly number: number;
  readonly text: string;
  readonly time: ScriptTime;
  readonly event: ScriptEvent;
}

/** A script: settings of the stack, and lines. */
export interface Script {
  readonly settings: ReadonlyMap<string, string>;
  readonly lines: readonly ScriptLine[];
}

/** Parses a script. Throws an error that names the line. */
export function parseScript(text: string): Script {
  const settings = new Map<string, string>();
  const lines: ScriptLine[] = [];
  for (const [index, raw] of text.split("\n").entries()) {
    const line = raw.replace(/(^|\s)\/\/.*$/, "").trim();
    if (line === "") continue;
    try {
      if (line.startsWith("set ")) readSettings(line, settings);
      else lines.push({ number: index + 1, text: line, ...readLine(line) });
    } catch (error) {
      throw new Error(`line ${index + 1}: ${(error as Error).message}: ${line}`);
    }
  }
  return { settings, lines };
}

function readSettings(line: string, settings: Map<string, string>): void {
  for (const [, name, value] of line.matchAll(/(\w+)=(\S+)/g)) settings.set(name!, value!);
}

function readLine(line: string): { time: ScriptTime; event: ScriptEvent } {
  const [, time, rest] = /^(\+?[\d.]+(?:~\+?[\d.]+)?)\s+(.+)$/.exec(line) ?? [, "+0", line];
  return { time: readTime(time!), event: readEvent(rest!) };
}

function readTime(text: string): ScriptTime {
  const [first = "", last = first] = text.split("~");
  return { relative: first.startsWith("+"), from: Number(first) * 1000, to: Number(last) * 1000 };
}

function readEvent(text: string): ScriptEvent {
  const packet = /^([<>])(?:@(\d+))?\s+(.+)$/.exec(text);
  if (packet === null) return readCall(text);
  const flow = Number(packet[2] ?? 1);
  const body = packet[3]!;
  if (body.startsWith("icmp")) return { kind: "icmp", flow, icmp: readIcmp(body) };
  return { kind: packet[1] === "<" ? "in" : "out", flow, segment: readSegment(body) };
}

function readCall(text: string): ScriptEvent {
  const [call = "", result] = text.split(/\s+=\s+/);
  const [first = "", ...args] = call.trim().split(/\s+/);
  const [name = "", flow = "1"] = first.split("@");
  return { kind: "call", flow: Number(flow), name, args, result };
}

const SEGMENT =
  /^([A-Z.]+|-)\s+(-?\d+):(-?\d+)\((\d+)\)(?:\s+ack\s+(-?\d+))?(?:\s+win\s+(\d+))?(?:\s+urg\s+(\d+))?(?:\s+<([^>]*)>)?(?:\s+\[(\w+)\])?(?:\s+x(\d+))?$/;

function readSegment(text: string): ScriptSegment {
  const match = SEGMENT.exec(text);
  if (match === null) throw new Error("is not a segment");
  const [, flags, start, end, length, ack, window, urgent, options, ecn, cut] = match;
  const control = flags === "-" ? 0 : flagBits(flags!);
  if (Number(end) - Number(start) !== Number(length)) {
    throw new Error("end - seq is not the length");
  }
  if (((control & 16) !== 0) !== (ack !== undefined)) throw new Error('"." and "ack" go together');
  return {
    flags: control,
    seq: Number(start),
    length: Number(length),
    ack: ack === undefined ? undefined : Number(ack),
    window: window === undefined ? undefined : Number(window),
    urgentPointer: Number(urgent ?? 0),
    options: options === undefined || options === "..." ? undefined : readOptions(options),
    anyTsVal: /TS val \. /.test(options ?? ""),
    ecn: ecn === undefined ? undefined : readEcn(ecn),
    cut: cut === undefined ? undefined : Number(cut),
  };
}

const ECN: Readonly<Record<string, number>> = { noecn: 0, ect1: 1, ect0: 2, ce: 3 };

function readEcn(text: string): number {
  const codepoint = ECN[text];
  if (codepoint === undefined) throw new Error(`${text} is not an ECN codepoint`);
  return codepoint;
}

function readOptions(text: string): TcpOptions {
  const options: TcpOptions = {};
  const raw: number[] = [];
  for (const part of text.split(",").map((piece) => piece.trim())) {
    const [name, ...values] = part.split(/\s+/);
    if (name === "mss") options.mss = Number(values[0]);
    else if (name === "sackOK") options.sackPermitted = true;
    else if (name === "wscale") options.windowScale = Number(values[0]);
    else if (name === "TS") options.timestamps = [Number(values[1]) || 0, Number(values[3])];
    else if (name === "sack") options.sack = values.map(readBlock);
    else if (name === "bytes") raw.push(...values.map(Number));
    else if (name !== "nop" && name !== "") throw new Error(`${part} is not an option`);
  }
  return raw.length > 0 ? { ...options, raw } : options;
}

function readBlock(text: string): [number, number] {
  const [start, end] = text.split(":").map(Number);
  return [start!, end!];
}

const ICMP: Readonly<Record<string, readonly [number, number]>> = {
  "unreachable net": [3, 0],
  "unreachable host": [3, 1],
  "unreachable protocol": [3, 2],
  "unreachable port": [3, 3],
  "unreachable frag_needed": [3, 4],
  "unreachable source_route_failed": [3, 5],
  "unreachable prohibited": [3, 13],
  "source_quench": [4, 0],
  "time_exceeded": [11, 0],
  "parameter_problem": [12, 0],
  "packet_too_big": [2, 0],
};

function readIcmp(text: string): ScriptIcmp {
  const match = /^icmp\s+([a-z_ ]+?)(?:\s+mtu\s+(\d+))?\s+\[(-?\d+):-?\d+\(\d+\)\]$/.exec(text);
  const kind = ICMP[match?.[1] ?? ""];
  if (match === null || kind === undefined) throw new Error("is not an ICMP message");
  return { type: kind[0], code: kind[1], mtu: Number(match[2] ?? 0), seq: Number(match[3]) };
}
