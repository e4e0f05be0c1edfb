/**
 * Packet filters in a subset of the syntax of pcap-filter(7).
 *
 * @module
 */
import { Subnet } from "../../../../core/wire/address.ts";
import { readU16 } from "../../../../core/wire/bytes.ts";
import { type IpHeader, PROTOCOL } from "../../../../core/wire/ip.ts";

/** Whether a packet is selected; `ip` is its parsed header. */
export type PacketFilter = (ip: IpHeader, packet: Uint8Array) => boolean;

type Side = "src" | "dst" | "both" | "either";

/** Which part of a packet a primitive compares with its operand. */
interface Qualifiers {
  readonly kind: "host" | "net" | "port" | "portrange";
  readonly side: Side;
  readonly protocol: PacketFilter;
}

const EXPECTED = "expected a filter of host, net, port, portrange, src, dst, tcp, udp, icmp, " +
  'icmp6, ip, ip6, "and", "or", "not" and parentheses, such as "tcp port 80 and host 10.0.0.2"';

/** Maximum length of a filter, which bounds its depth too. */
const MAX_LENGTH = 2000;

const ofProtocol = (...numbers: number[]): PacketFilter => ({ protocol }) =>
  numbers.includes(protocol);

const PROTOCOLS: Readonly<Record<string, PacketFilter>> = {
  tcp: ofProtocol(PROTOCOL.TCP),
  udp: ofProtocol(PROTOCOL.UDP),
  icmp: ofProtocol(PROTOCOL.ICMP),
  icmp6: ofProtocol(PROTOCOL.ICMPV6),
  ip: ({ version }) => version === 4,
  ip6: ({ version }) => version === 6,
};

/**
 * Compiles a filter; one without words selects everything.
 *
 * @throws {TypeError} The text is not a filter; the message says where and what is expected.
 */
export function compileFilter(text: string): PacketFilter {
  if (text.length > MAX_LENGTH) {
    throw new TypeError(`the filter is longer than ${MAX_LENGTH} characters`);
  }
  const words = text.match(/[()]|!=?|&&|\|\||[^\s()!&|]+|\S/g) ?? [];
  if (words.length === 0) return () => true;
  const parser = new Parser(words);
  const filter = parser.alternatives();
  parser.expectEnd();
  return filter;
}

class Parser {
  readonly #words: readonly string[];
  #at = 0;
  /** The qualifiers of the last primitive, for `port 80 or 443`. */
  #last: Qualifiers | undefined;

  constructor(words: readonly string[]) {
    this.#words = words;
  }

  alternatives(): PacketFilter {
    let filter = this.#conjunction();
    while (this.#take("or", "||")) {
      const [one, other] = [filter, this.#conjunction()];
      filter = (ip, packet) => one(ip, packet) || other(ip, packet);
    }
    return filter;
  }

  expectEnd(): void {
    if (this.#at < this.#words.length) {
      this.#fail(`"${this.#words[this.#at]}" is not expected here`);
    }
  }

  #conjunction(): PacketFilter {
    let filter = this.#negation();
    while (this.#take("and", "&&")) {
      const [one, other] = [filter, this.#negation()];
      filter = (ip, packet) => one(ip, packet) && other(ip, packet);
    }
    return filter;
  }

  #negation(): PacketFilter {
    if (this.#take("not", "!")) {
      const filter = this.#negation();
      return (ip, packet) => !filter(ip, packet);
    }
    if (!this.#take("(")) return this.#primitive();
    const filter = this.alternatives();
    if (!this.#take(")")) this.#fail('")" is missing');
    return filter;
  }

  #primitive(): PacketFilter {
    const name = this.#words[this.#at];
    if (name !== undefined && this.#last !== undefined && /^[\d:]|^[a-f\d]*:/i.test(name)) {
      return this.#operand(this.#last);
    }
    const isNamed = name !== undefined && Object.hasOwn(PROTOCOLS, name);
    if (isNamed) this.#at++;
    const protocol = isNamed ? PROTOCOLS[name]! : () => true;
    const side = this.#side();
    const kind = this.#kind();
    if (kind === undefined) {
      if (isNamed && side === undefined) return protocol;
      // `src 10.0.0.1` stands for `src host 10.0.0.1`.
      if (side !== undefined) return this.#operand({ kind: "host", side, protocol });
      const word = this.#words[this.#at];
      this.#fail(word === undefined ? "it is incomplete" : `"${word}" is unknown`);
    }
    return this.#operand({ kind, side: side ?? "either", protocol });
  }

  #side(): Side | undefined {
    const side = this.#take("src") ? "src" : this.#take("dst") ? "dst" : undefined;
    if (side === undefined) return undefined;
    const other = side === "src" ? "dst" : "src";
    const joint = this.#words[this.#at];
    if (this.#words[this.#at + 1] !== other) return side;
    if (joint !== "or" && joint !== "and") return side;
    this.#at += 2;
    return joint === "or" ? "either" : "both";
  }

  #kind(): Qualifiers["kind"] | undefined {
    for (const kind of ["host", "net", "port", "portrange"] as const) {
      if (this.#take(kind)) return kind;
    }
    return undefined;
  }

  #operand(qualifiers: Qualifiers): PacketFilter {
    this.#last = qualifiers;
    const { kind, side, protocol } = qualifiers;
    const word = this.#words[this.#at++];
    if (word === undefined) this.#fail(`${kind} has no value`);
    const filter = kind === "port" || kind === "portrange"
      ? this.#ports(word, kind, side)
      : this.#addresses(word, kind, side);
    return (ip, packet) => protocol(ip, packet) && filter(ip, packet);
  }

  #addresses(word: string, kind: "host" | "net", side: Side): PacketFilter {
    const subnet = Subnet.parse(word);
    const isHost = !word.includes("/");
    if (subnet === undefined || (kind === "host") !== isHost) {
      this.#fail(
        kind === "host"
          ? `host ${word}: expected an address such as 10.0.0.2 or fd00::2`
          : `net ${word}: expected a network such as 10.0.0.0/8`,
      );
    }
    return bySide(
      side,
      ({ s0, s1, s2, s3 }) => subnet.containsWords(s0, s1, s2, s3),
      ({ d0, d1, d2, d3 }) => subnet.containsWords(d0, d1, d2, d3),
    );
  }

  #ports(word: string, kind: "port" | "portrange", side: Side): PacketFilter {
    const pattern = kind === "port" ? /^(\d{1,5})$/ : /^(\d{1,5})-(\d{1,5})$/;
    const [, first, last = first] = pattern.exec(word)?.map(Number) ?? [];
    if (first === undefined || last === undefined || last > 65_535 || first > last) {
      const example = kind === "port" ? "a number up to 65535" : "two numbers such as 8000-8999";
      this.#fail(`${kind} ${word}: expected ${example}`);
    }
    const isPort = (port: number) => first <= port && port <= last;
    const sides = bySide(
      side,
      ({ payloadStart }, packet) => isPort(readU16(packet, payloadStart)),
      ({ payloadStart }, packet) => isPort(readU16(packet, payloadStart + 2)),
    );
    return (ip, packet) => hasPorts(ip) && sides(ip, packet);
  }

  #take(...words: readonly string[]): boolean {
    const isNext = words.includes(this.#words[this.#at] ?? "");
    if (isNext) this.#at++;
    return isNext;
  }

  #fail(fault: string): never {
    throw new TypeError(`filter "${this.#words.join(" ")}": ${fault}; ${EXPECTED}`);
  }
}

function bySide(side: Side, source: PacketFilter, destination: PacketFilter): PacketFilter {
  switch (side) {
    case "src":
      return source;
    case "dst":
      return destination;
    case "both":
      return (ip, packet) => source(ip, packet) && destination(ip, packet);
    case "either":
      return (ip, packet) => source(ip, packet) || destination(ip, packet);
  }
}

/** Later fragments have no ports. */
function hasPorts({ protocol, isFragment, fragmentOffset, payloadStart, payloadEnd }: IpHeader) {
  return (protocol === PROTOCOL.TCP || protocol === PROTOCOL.UDP) &&
    !(isFragment && fragmentOffset > 0) && payloadEnd - payloadStart >= 4;
}
