/**
 * The names that a server knows itself.
 *
 * @module
 */
import type { Answer } from "@dnsquery/dns-packet";
import { ipVersionOf } from "../../core/api/addresses.ts";
import { normalizeName, RCODE, type Reply } from "./message.ts";

/** What is known of one name. */
export interface DnsRecords {
  /** IPv4 and IPv6 addresses: A and AAAA. */
  addresses?: string[] | undefined;
  /** The name that this one stands for, which has to be known too. */
  cname?: string | undefined;
  /** Texts of at most 255 bytes, one TXT record each. */
  txt?: string[] | undefined;
}

/** CNAMEs that are followed, at most. */
const MAX_ALIASES = 8;

/** Names, and the zones in which there are no others. */
export class Names {
  readonly #records: ReadonlyMap<string, DnsRecords>;
  readonly #zones: readonly string[];
  /** Names under which there are others. */
  readonly #above: ReadonlySet<string>;
  readonly #ttl: number;

  /**
   * `ttl` in seconds.
   *
   * @throws {TypeError} A name cannot be, or stands for one that is not known or for itself.
   */
  constructor(
    records: Readonly<Record<string, DnsRecords>>,
    zones: readonly string[],
    ttl: number,
  ) {
    const known = Object.entries(records).map(([name, one]) => [requireName(name), one] as const);
    this.#records = new Map(known);
    this.#zones = zones.map(requireName);
    this.#above = new Set(known.flatMap(([name]) => [...ancestorsOf(name)]));
    this.#ttl = ttl;
    for (const [name, one] of known) this.#checkAlias(name, one);
  }

  #checkAlias(name: string, { cname, addresses, txt }: DnsRecords): void {
    if (cname === undefined) return;
    // RFC 1034 3.6.2.
    if (addresses !== undefined || txt !== undefined) {
      throw new TypeError(`dns: ${name} stands for ${cname}, so it can have no other records`);
    }
    let target: string | undefined = cname;
    for (let aliases = 0; target !== undefined; aliases++) {
      const records = this.#find(requireName(target));
      if (records === undefined) {
        throw new TypeError(`dns: ${name} stands for ${target}, which names has no records of`);
      }
      if (aliases === MAX_ALIASES) {
        throw new TypeError(
          `dns: ${name} stands for ${cname}, and that for something else for ever`,
        );
      }
      target = records.cname;
    }
  }

  /** What is known about a name; `undefined`: nothing, somebody else may know. */
  answer(name: string, type: string): Reply | undefined {
    const answers: Answer[] = [];
    let current = name;
    for (let aliases = 0; aliases <= MAX_ALIASES; aliases++) {
      const records = this.#find(current);
      if (records === undefined) break;
      answers.push(...this.#recordsOf(current, type, records));
      if (records.cname === undefined || type === "CNAME") break;
      answers.push({ type: "CNAME", name: current, ttl: this.#ttl, data: records.cname });
      current = normalizeName(records.cname);
    }
    if (this.#find(name) !== undefined) {
      return { rcode: RCODE.NOERROR, answers, isAuthoritative: true };
    }
    if (!this.#zones.some((zone) => isIn(name, zone))) return undefined;
    // A name under which there are others exists (RFC 8020 2).
    const rcode = this.#above.has(name) ? RCODE.NOERROR : RCODE.NXDOMAIN;
    return { rcode, isAuthoritative: true };
  }

  /** The name's own, or those of the nearest wildcard above it (RFC 4592 3.3). */
  #find(name: string): DnsRecords | undefined {
    const own = this.#records.get(name);
    if (own !== undefined || this.#above.has(name)) return own;
    for (const above of ancestorsOf(name)) {
      const wildcard = this.#records.get(above === "" ? "*" : `*.${above}`);
      if (wildcard !== undefined) return wildcard;
      // What exists stops the wildcards above it (RFC 4592 2.2.1).
      if (this.#records.has(above) || this.#above.has(above)) return undefined;
    }
    return undefined;
  }

  #recordsOf(name: string, type: string, records: DnsRecords): Answer[] {
    const { addresses = [], txt = [] } = records;
    const ttl = this.#ttl;
    // RFC 8482 4.2: whoever asks for everything gets something small.
    if (type === "ANY") return [{ type: "HINFO", name, ttl, data: { cpu: "RFC8482", os: "" } }];
    if (type === "TXT") return txt.map((text) => ({ type: "TXT", name, ttl, data: [text] }));
    if (type === "CNAME" && records.cname !== undefined) {
      return [{ type: "CNAME", name, ttl, data: records.cname }];
    }
    const version = type === "A" ? 4 : type === "AAAA" ? 6 : undefined;
    return addresses.filter((address) => ipVersionOf(address) === version)
      .map((data) => ({ type: type as "A" | "AAAA", name, ttl, data }));
  }
}

function isIn(name: string, zone: string): boolean {
  return zone === "" || name === zone || name.endsWith(`.${zone}`);
}

/** The names above one, from the nearest to the root. */
function* ancestorsOf(name: string): Generator<string> {
  for (let at = name.indexOf("."); at >= 0; at = name.indexOf(".", at + 1)) {
    yield name.slice(at + 1);
  }
  if (name !== "") yield "";
}

/** RFC 1035 2.3.4: labels of at most 63 bytes, 253 with the dots between them. */
function requireName(text: string): string {
  const name = normalizeName(text);
  const labels = name === "" ? [] : name.split(".");
  const isName = name.length <= 253 && labels.every((label) => /^[\x21-\x7e]{1,63}$/.test(label));
  if (isName) return name;
  throw new TypeError(
    `dns: ${JSON.stringify(text)} is not a name; write "host.example" or "*.example"`,
  );
}
