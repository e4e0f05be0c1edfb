/**
 * The format of a connection that moves: a header with a version, the two endpoints, how the
 * connection is configured, and its record. `docs/moving.md` has the table of fields.
 *
 * @module
 */
import { IpAddress } from "../../wire/address.ts";
import type { TcpConfig } from "../config.ts";
import type { FieldClock, FieldCodec } from "./field_codec.ts";
import { FieldReader } from "./field_reader.ts";
import { FieldWriter } from "./field_writer.ts";

/** Version of the format; every change of the fields or of their meaning increases it. */
export const FORMAT_VERSION = 1;

/** "brth", then the version as a 32-bit number. */
const MAGIC = 0x62727468;
const HEADER_LENGTH = 8;

/** The two endpoints of a connection. */
export interface Endpoints {
  local: IpAddress;
  localPort: number;
  remote: IpAddress;
  remotePort: number;
}

/** Unspecified endpoints, for a reader to fill in. */
export function noEndpoints(): Endpoints {
  return { local: IpAddress.ANY_V4, localPort: 0, remote: IpAddress.ANY_V4, remotePort: 0 };
}

/** A writer for the fields after the header. */
export function frozenWriter(clock: FieldClock): FieldWriter {
  return new FieldWriter(clock);
}

/** Adds the header to the fields written. */
export function withHeader(fields: Uint8Array): Uint8Array<ArrayBuffer> {
  const record = new Uint8Array(HEADER_LENGTH + fields.length);
  const view = new DataView(record.buffer);
  view.setUint32(0, MAGIC);
  view.setUint32(4, FORMAT_VERSION);
  record.set(fields, HEADER_LENGTH);
  return record;
}

/** A reader for the fields after the header, or what is wrong with the header. */
export function frozenReader(record: Uint8Array, clock: FieldClock): FieldReader | string {
  if (record.length < HEADER_LENGTH) return "it is too short to be a frozen connection";
  const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
  if (view.getUint32(0) !== MAGIC) return "it is not a frozen connection";
  const version = view.getUint32(4);
  if (version === FORMAT_VERSION) return new FieldReader(record, clock, HEADER_LENGTH);
  return `its format has version ${version}, this stack reads version ${FORMAT_VERSION}: ` +
    "use the same release on both sides";
}

/** Visits the endpoints. */
export function visitEndpoints(endpoints: Endpoints, codec: FieldCodec): void {
  endpoints.local = visitAddress("local", endpoints.local, codec);
  endpoints.localPort = codec.count("localPort", endpoints.localPort, 0xffff);
  endpoints.remote = visitAddress("remote", endpoints.remote, codec);
  endpoints.remotePort = codec.count("remotePort", endpoints.remotePort, 0xffff);
}

function visitAddress(name: string, { w0, w1, w2, w3 }: IpAddress, codec: FieldCodec): IpAddress {
  const word = (i: number, value: number) => codec.int(`${name} word ${i}`, value);
  return new IpAddress(word(0, w0), word(1, w1), word(2, w2), word(3, w3));
}

/** Options that decide what the record means; both stacks have to agree on them. */
type Policies = Pick<TcpConfig, "acknowledge" | "close" | "finish">;

/** Visits the options; returns the first one in which the two stacks differ. */
export function visitPolicies(config: Policies, codec: FieldCodec): string | undefined {
  const { acknowledge, close, finish } = config;
  const read = {
    acknowledge: codec.choice("acknowledge", acknowledge, [
      "on-read",
      "on-processed",
      "on-arrival",
    ]),
    close: codec.choice("close", close, ["reset", "graceful"]),
    finish: codec.choice("finish", finish, ["reset", "time-wait"]),
  };
  for (const name of ["acknowledge", "close", "finish"] as const) {
    if (read[name] === config[name]) continue;
    return `its option tcp.${name} is "${read[name]}", this stack's is "${config[name]}": ` +
      "give both stacks the same profile";
  }
  return undefined;
}
