/**
 * Filters of `berth ss`, like those of ss(8): `state established dport = :443 src 10.0.0.0/8`.
 *
 * @module
 */
import { Subnet } from "../../../../core/wire/address.ts";
import type { ConnectionRow } from "../../admin/connections.ts";
import { UsageError } from "../../errors.ts";

/** Whether a connection is selected. */
export type ConnectionFilter = (row: ConnectionRow) => boolean;

const EXPECTED = "expected state NAME, src or dst ADDRESS[/LENGTH][:PORT], sport or dport PORT, " +
  "plugin NAME, waits REASON, all of which must match";

/** The names that ss(8) has for groups of states, besides the names of RFC 9293. */
const STATES: Readonly<Record<string, readonly string[]>> = {
  connected: ["!LISTEN", "!CLOSED"],
  synchronized: ["!LISTEN", "!CLOSED", "!SYN-SENT"],
  bucket: ["TIME-WAIT", "SYN-RECEIVED"],
  "syn-recv": ["SYN-RECEIVED"],
  "fin-wait-1": ["FIN-WAIT-1"],
  "fin-wait-2": ["FIN-WAIT-2"],
};

/** @throws {UsageError} The words are not a filter. */
export function connectionFilter(words: readonly string[]): ConnectionFilter {
  const left = words.filter((word) => word !== "and" && word !== "=" && word !== "eq");
  const filters: ConnectionFilter[] = [];
  while (left.length > 0) {
    const name = left.shift()!;
    const value = left.shift();
    const make = Object.hasOwn(PRIMITIVES, name) ? PRIMITIVES[name] : undefined;
    if (make === undefined) throw new UsageError(`ss: "${name}" is unknown; ${EXPECTED}`);
    if (value === undefined) throw new UsageError(`ss: ${name} has no value; ${EXPECTED}`);
    filters.push(make(value));
  }
  return (row) => filters.every((filter) => filter(row));
}

const PRIMITIVES: Readonly<Record<string, (value: string) => ConnectionFilter>> = {
  state(name) {
    const states = STATES[name.toLowerCase()] ?? [name.toUpperCase()];
    const excluded = states.filter((state) => state.startsWith("!"));
    return excluded.length > 0
      ? ({ state }) => !excluded.includes(`!${state}`)
      : ({ state }) => states.includes(state);
  },
  src: (value) => endpoint(value, ({ local }) => local),
  dst: (value) => endpoint(value, ({ remote }) => remote),
  sport: (value) => port(value, ({ local }) => local),
  dport: (value) => port(value, ({ remote }) => remote),
  plugin: (name) => ({ plugin }) => (plugin ?? "").split("+").includes(name),
  waits: (reason) => ({ waitsFor }) => waitsFor === reason,
};

function endpoint(value: string, of: (row: ConnectionRow) => string): ConnectionFilter {
  const [, bracketed, plain, number] = /^(?:\[([^\]]+)\]|([^\s\]]*?))(?::(\d+))?$/.exec(value) ??
    [];
  // An IPv6 address without brackets has no port.
  const whole = Subnet.parse(value);
  const subnet = whole ?? Subnet.parse(bracketed ?? plain ?? "");
  if (subnet === undefined) throw new UsageError(`ss: "${value}" is not an address; ${EXPECTED}`);
  const wanted = whole === undefined ? number : undefined;
  return (row) => {
    const { hostname, port } = split(of(row));
    const address = Subnet.parse(hostname)!.address;
    return subnet.contains(address) && (wanted === undefined || wanted === port);
  };
}

function port(value: string, of: (row: ConnectionRow) => string): ConnectionFilter {
  const [, wanted] = /^:?(\d{1,5})$/.exec(value) ?? [];
  if (wanted === undefined) throw new UsageError(`ss: "${value}" is not a port; ${EXPECTED}`);
  return (row) => split(of(row)).port === String(Number(wanted));
}

function split(text: string): { hostname: string; port: string } {
  const at = text.lastIndexOf(":");
  return { hostname: text.slice(0, at).replace(/^\[|\]$/g, ""), port: text.slice(at + 1) };
}
