/**
 * Listen addresses as text: `[tcp/|udp/][ADDRESS[/LEN]:]PORTS`.
 *
 * @module
 */
import type { Binding } from "../stack/binding_table.ts";
import { Subnet } from "../wire/address.ts";
import { TcpError } from "./errors.ts";

/** A transport with the addresses and ports to listen on. */
export interface ListenAddress extends Binding {
  /** TCP unless the text says otherwise. */
  readonly transport: "tcp" | "udp";
}

/** The highest port number. */
const LAST_PORT = 65_535;
/** Maximum length of a listen address, in characters. */
const MAX_LENGTH = 70;

/**
 * Parses a listen address. PORTS is one port, a range such as `8000-8999`, or `*` for 1 to 65535;
 * ADDRESS is one address or a network, with IPv6 in brackets; without it, every address. `0.0.0.0`
 * and `::` stand for all addresses of their family. A number is a TCP port, 0 for any free one; in
 * text, port 0 is accepted only if `allowsPortZero` is set.
 *
 * @throws {TypeError} `where` is not a listen address; the message shows the syntax.
 */
export function parseListenAddress(where: number | string, allowsPortZero = false): ListenAddress {
  if (typeof where === "number") return { transport: "tcp", ...bindingOf(where) };
  const parts = /^(?:(tcp|udp)\/)?(?:(?:\[([^\]]*:[^\]]*)\]|([\d./]+)):)?([*\d-]+)$/.exec(where);
  if (parts === null) throw wrong(where);
  const [, transport = "tcp", v6, v4, ports] = parts;
  const [firstPort, lastPort] = ports === "0" && allowsPortZero ? [0, 0] : portsOf(ports!) ?? [];
  if (firstPort === undefined || lastPort === undefined) throw wrong(where);
  const address = v6 ?? v4;
  if (address !== undefined && Subnet.parse(address) === undefined) throw wrong(where);
  const subnet = subnetOf(address, where);
  return { transport: transport as ListenAddress["transport"], subnet, firstPort, lastPort };
}

/**
 * The binding for one or more ports, and an address or network in text form.
 *
 * @throws {TypeError} `port` is not a port or port range; the message shows the syntax.
 * @throws {TcpError} `INVALID_ADDRESS`: `hostname` is not an IP address or network.
 */
export function bindingOf(port: number | string, hostname?: string): Binding {
  const ports = typeof port === "string"
    ? portsOf(port)
    : Number.isInteger(port) && port >= 0 && port <= LAST_PORT
    ? [port, port] as const
    : undefined;
  if (ports === undefined) {
    const text = typeof port === "string" ? `"${port}"` : port;
    throw new TypeError(
      `${text} is not a port; use 1 to ${LAST_PORT}, 0 for any free one, "8000-8999" or "*"`,
    );
  }
  return { subnet: subnetOf(hostname), firstPort: ports[0], lastPort: ports[1] };
}

/**
 * The shortest text that {@link parseListenAddress} parses to this address. Equal addresses have
 * equal text.
 */
export function formatListenAddress(
  { transport, subnet, firstPort, lastPort }: ListenAddress,
): string {
  const prefix = transport === "udp" ? "udp/" : "";
  return `${prefix}${subnet === undefined ? "" : `${formatSubnet(subnet)}:`}${
    formatPorts(firstPort, lastPort)
  }`;
}

function formatSubnet(subnet: Subnet): string {
  const isOne = subnet.bits === 128;
  const text = isOne ? subnet.address.toString() : subnet.toString();
  return subnet.address.isV4 ? text : `[${text}]`;
}

/** `80`, `8000-8999` or `*`. */
export function formatPorts(firstPort: number, lastPort: number): string {
  if (firstPort === lastPort) return String(firstPort);
  return firstPort === 1 && lastPort === LAST_PORT ? "*" : `${firstPort}-${lastPort}`;
}

function portsOf(text: string): readonly [first: number, last: number] | undefined {
  if (text === "*") return [1, LAST_PORT];
  const parts = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  if (parts === null) return undefined;
  const first = Number(parts[1]);
  const last = parts[2] === undefined ? first : Number(parts[2]);
  return first >= 1 && first <= last && last <= LAST_PORT ? [first, last] : undefined;
}

function subnetOf(text: string | undefined, where = text): Subnet | undefined {
  if (text === undefined) return undefined;
  const subnet = Subnet.parse(text);
  if (subnet === undefined) {
    throw new TcpError("INVALID_ADDRESS", `"${text}" is not an IP address or a network of them`);
  }
  if (!text.includes("/") && subnet.address.isUnspecified) return new Subnet(subnet.address, 0);
  if (!subnet.address.equals(subnet.network)) {
    throw new TypeError(
      `"${where}": ${text} is an address in a network; write ${subnet.address} for that address ` +
        `or ${subnet.network}/${subnet.prefixLength} for the network`,
    );
  }
  return subnet;
}

function wrong(where: string): TypeError {
  const meant = intendedAddress(where);
  const advice = meant === undefined ? "" : `did you mean "${meant}"? `;
  return new TypeError(
    `"${where}" is not a listen address; ${advice}write [tcp/|udp/][ADDRESS[/LENGTH]:]PORTS such ` +
      "as 80, 8000-8999, *, 10.90.7.0/24:80, [fd00::/64]:* or udp/53",
  );
}

/** The listen address that other notations stand for: `udp:53`, `53/udp`, `:80`, `udp://10.0.0.1:53`. */
function intendedAddress(where: string): string | undefined {
  const before = /^(tcp|udp)(?::\/\/|:)(.+)$/i.exec(where);
  const after = /^(.+)\/(tcp|udp)$/i.exec(where);
  const [, transport, rest] = before ?? [undefined, after?.[2], after?.[1]];
  const ports = (rest ?? where).replace(/^:/, "");
  const meant = transport === undefined ? ports : `${transport.toLowerCase()}/${ports}`;
  if (meant === where || where.length > MAX_LENGTH) return undefined;
  try {
    return formatListenAddress(parseListenAddress(meant));
  } catch {
    return undefined;
  }
}
