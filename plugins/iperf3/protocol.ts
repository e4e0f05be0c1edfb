/**
 * The protocol of iperf3. It has no specification: this is what version 3.12 sends and accepts.
 *
 * @module
 */
import { z } from "zod";
import { wholeNumber } from "../../core/api/numbers.ts";

/** Length of the cookie at the start of each connection: the client's random string and a NUL. */
export const COOKIE_LENGTH = 37;
/** Largest parameters of a client, in bytes. */
export const MAX_PARAMETERS = 8 * 1024;
/** Largest results of a client, in bytes: 128 connections need a quarter of that. */
export const MAX_RESULTS = 256 * 1024;
/** Maximum number of connections in each direction. */
const MAX_PARALLEL = 128;
const MAX_BLOCK = 1024 * 1024;
const DEFAULT_BLOCK = 128 * 1024;
const DAY = 86_400;

/** The states of a test, sent as single bytes on the control connection. */
export const STATE: {
  readonly TEST_START: 1;
  readonly TEST_RUNNING: 2;
  readonly TEST_END: 4;
  readonly PARAM_EXCHANGE: 9;
  readonly CREATE_STREAMS: 10;
  readonly SERVER_TERMINATE: 11;
  readonly CLIENT_TERMINATE: 12;
  readonly EXCHANGE_RESULTS: 13;
  readonly DISPLAY_RESULTS: 14;
  readonly IPERF_DONE: 16;
  /** -2: two numbers follow, which identify the error. */
  readonly SERVER_ERROR: 254;
  /** -1: another test is running. */
  readonly ACCESS_DENIED: 255;
} = {
  TEST_START: 1,
  TEST_RUNNING: 2,
  TEST_END: 4,
  PARAM_EXCHANGE: 9,
  CREATE_STREAMS: 10,
  SERVER_TERMINATE: 11,
  CLIENT_TERMINATE: 12,
  EXCHANGE_RESULTS: 13,
  DISPLAY_RESULTS: 14,
  IPERF_DONE: 16,
  SERVER_ERROR: 254,
  ACCESS_DENIED: 255,
};

/** Error codes that a server sends. */
export const FAULT: {
  /** "an option you are trying to set is not implemented yet" */
  readonly NOT_IMPLEMENTED: 13;
  /** "unable to receive parameters from client" */
  readonly PARAMETERS: 113;
} = { NOT_IMPLEMENTED: 13, PARAMETERS: 113 };

/** Parameters of a test. */
export interface Parameters {
  /** The server sends and the client receives (`-R`). */
  readonly reverse: boolean;
  /** Both sides send (`--bidir`). */
  readonly bidirectional: boolean;
  /** Connections in each direction (`-P`). */
  readonly parallel: number;
  /** Duration in seconds (`-t`); 0: until `num` or `blockcount` is reached. */
  readonly time: number;
  /** Seconds at the start that are not counted (`-O`). */
  readonly omit: number;
  /** Bytes to send (`-n`), 0: no limit. */
  readonly num: number;
  /** Blocks to send (`-k`), 0: no limit. */
  readonly blockcount: number;
  /** Bytes of a block (`-l`). */
  readonly len: number;
  /** Bits per second of each connection (`-b`), 0: no limit. */
  readonly bandwidth: number;
}

const limit = wholeNumber(0, Number.MAX_SAFE_INTEGER).default(0);

const parametersSchema = z.object({
  tcp: z.literal(true),
  reverse: z.boolean().default(false),
  bidirectional: z.boolean().default(false),
  parallel: wholeNumber(1, MAX_PARALLEL).default(1),
  time: wholeNumber(0, DAY).default(0),
  omit: wholeNumber(0, 600).default(0),
  num: limit,
  blockcount: limit,
  len: wholeNumber(1, MAX_BLOCK).default(DEFAULT_BLOCK),
  bandwidth: limit,
});

/** Parses a client's parameters; returns the {@link FAULT} to answer with if they are not valid. */
export function parseParameters(text: string): Parameters | number {
  const value = parseJson(text);
  const checked = parametersSchema.safeParse(value);
  if (checked.success) return checked.data;
  const isOther = typeof value === "object" && value !== null &&
    ("udp" in value || "sctp" in value);
  return isOther ? FAULT.NOT_IMPLEMENTED : FAULT.PARAMETERS;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Result of one connection. */
export interface StreamResult {
  /** The number that the client gives the connection. */
  readonly id: number;
  readonly bytes: number;
  readonly retransmits: number;
  /** Duration from the first byte counted, in seconds. */
  readonly seconds: number;
}

/** The number that a client gives its connection `index`: 1, 3, 4, 5, and so on. */
export function streamId(index: number): number {
  return index === 0 ? 1 : index + 2;
}

/** The server's results. `sends`: the server was the sender, so its retransmissions are included. */
export function formatResults(sends: boolean, streams: readonly StreamResult[]): string {
  return JSON.stringify({
    // A plugin does not know the CPU time of its process.
    cpu_util_total: 0,
    cpu_util_user: 0,
    cpu_util_system: 0,
    sender_has_retransmits: sends ? 1 : -1,
    streams: streams.map(({ id, bytes, retransmits, seconds }) => ({
      id,
      bytes,
      retransmits: sends ? retransmits : -1,
      jitter: 0,
      errors: 0,
      packets: 0,
      start_time: 0,
      end_time: seconds,
    })),
  });
}
