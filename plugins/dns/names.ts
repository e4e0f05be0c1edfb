/**
 * The names that the server is authoritative for.
 *
 * @module
 */
import { addressBytes, addressText } from "../../core/api/addresses.ts";
import {
  ancestorsOf,
  isIn,
  isWildcard,
  parseName,
  wildcardBelow,
  type WireName,
} from "./domain_name.ts";
import type { OwnedRecord, RecordData, Reply } from "./message.ts";
import { RCODE, TYPE } from "./wire.ts";

/** The records of a name. */
export interface DnsRecords {
  /** IPv4 and IPv6 addresses: A and AAAA. */
  addresses?: string[] | undefined;
  /** CNAME: the name that this one is an alias of, which must be in `names` too. */
  cname?: string | undefined;
  /** Texts of at most 255 bytes, one TXT record each. */
  txt?: string[] | undefined;
}

/** Maximum number of CNAMEs that are followed. */
const MAX_ALIASES = 8;

/** The records of a name, ready to be sent. */
interface KnownName {
  readonly a: readonly RecordData[];
  readonly aaaa: readonly RecordData[];
  readonly txt: readonly RecordData[];
  readonly alias: { readonly target: WireName; readonly record: RecordData } | undefined;
}

/** The records found for a name, and the key they were found under: the name or a wildcard. */
interface Found {
  readonly known: KnownName;
  readonly key: WireName;
}

/** Names and zones. */
export class Names {
  readonly #records = new Map<WireName, KnownName>();
  readonly #zones: readonly WireName[];
  /** Ancestors of the names. */
  readonly #above: ReadonlySet<WireName>;
  readonly #ttl: number;

  /**
   * `ttl` in seconds.
   *
   * @throws {TypeError} A name is not valid, or is an alias of an unknown name or of itself.
   */
  constructor(
    records: Readonly<Record<string, DnsRecords>>,
    zones: readonly string[],
    ttl: number,
  ) {
    this.#ttl = ttl;
    for (const [text, one] of Object.entries(records)) {
      const name = requireName(text);
      if (this.#records.has(name)) {
        throw new TypeError(
          `dns: options.names: ${text} appears twice; write its records in one entry`,
        );
      }
      this.#records.set(name, this.#known(text, one));
    }
    // The longest zone that contains a name decides.
    this.#zones = zones.map(requireName).sort((a, b) => b.length - a.length);
    this.#above = new Set([...this.#records.keys()].flatMap((name) => [...ancestorsOf(name)]));
    for (const [text, one] of Object.entries(records)) this.#checkAlias(text, one.cname);
  }

  #known(name: string, { addresses, cname, txt }: DnsRecords): KnownName {
    // RFC 1034 3.6.2.
    if (cname !== undefined && (addresses !== undefined || txt !== undefined)) {
      throw new TypeError(
        `dns: options.names: ${name} has the CNAME ${cname}, so it can have no other records`,
      );
    }
    const ttl = this.#ttl;
    const bytes = (addresses ?? []).map((address) => addressBytes(address)!);
    const ofLength = (type: "A" | "AAAA", length: number) =>
      bytes.filter((one) => one.length === length)
        .map((one): RecordData => ({ type, ttl, data: addressText(one) }));
    return {
      a: ofLength("A", 4),
      aaaa: ofLength("AAAA", 16),
      txt: (txt ?? []).map((text) => ({ type: "TXT", ttl, data: [text] })),
      alias: cname === undefined
        ? undefined
        : { target: requireName(cname), record: { type: "CNAME", ttl, data: cname } },
    };
  }

  #checkAlias(name: string, cname: string | undefined): void {
    let target = cname;
    for (let aliases = 0; target !== undefined; aliases++) {
      const found = this.#find(requireName(target));
      if (found === undefined) {
        throw new TypeError(
          `dns: options.names: ${name} is an alias of ${target}, which has no entry; add one`,
        );
      }
      if (aliases === MAX_ALIASES) {
        throw new TypeError(
          `dns: options.names: ${name}: more than ${MAX_ALIASES} CNAMEs, or a loop`,
        );
      }
      target = (found.known.alias?.record as { data: string } | undefined)?.data;
    }
  }

  /** The answer for a name; `undefined`: this server is not authoritative for it. */
  answer(name: WireName, type: number): Reply | undefined {
    let found = this.#find(name);
    if (found === undefined) return this.#denial(name, type);
    const answers: OwnedRecord[] = [];
    let owner = name;
    for (let aliases = 0; found !== undefined && aliases <= MAX_ALIASES; aliases++) {
      answers.push(...this.#recordsOf(owner, type, found));
      const { alias } = found.known;
      if (alias === undefined || type === TYPE.CNAME || type === TYPE.ANY) break;
      answers.push({ owner, data: alias.record });
      owner = alias.target;
      found = this.#find(owner);
    }
    const isAnswered = answers.some(({ data }) => data.type !== "CNAME") || type === TYPE.CNAME;
    const soa = isAnswered && answers.length > 0
      ? undefined
      : this.#enclosingSoa(owner, found?.key);
    return { rcode: RCODE.NOERROR, answers, soa, isAuthoritative: true };
  }

  /** The negative answer for a name in a zone: a name with descendants exists, without records (RFC 8020 2). */
  #denial(name: WireName, type: number): Reply | undefined {
    const zone = this.#zoneOf(name);
    if (zone === undefined) return undefined;
    const soa = this.#soaOf(zone);
    if (zone === name && type === TYPE.SOA) {
      return { rcode: RCODE.NOERROR, answers: [soa], isAuthoritative: true };
    }
    const exists = this.#above.has(name) || zone === name;
    const rcode = exists ? RCODE.NOERROR : RCODE.NXDOMAIN;
    return { rcode, soa, isAuthoritative: true };
  }

  /** The records of the name, or those of the closest wildcard (RFC 4592 3.3). */
  #find(name: WireName): Found | undefined {
    const own = this.#records.get(name);
    if (own !== undefined) return { known: own, key: name };
    if (this.#above.has(name)) return undefined;
    for (const above of ancestorsOf(name)) {
      const key = wildcardBelow(above);
      const known = this.#records.get(key);
      if (known !== undefined) return { known, key };
      // An existing name hides the wildcards above it (RFC 4592 2.2.1).
      if (this.#records.has(above) || this.#above.has(above)) return undefined;
    }
    return undefined;
  }

  #recordsOf(owner: WireName, type: number, { known, key }: Found): OwnedRecord[] {
    const ttl = this.#ttl;
    const of = (records: readonly RecordData[]) => records.map((data) => ({ owner, data }));
    // RFC 8482 4.2: ANY gets a small HINFO record.
    if (type === TYPE.ANY) return of([{ type: "HINFO", ttl, data: { cpu: "RFC8482", os: "" } }]);
    if (type === TYPE.A) return of(known.a);
    if (type === TYPE.AAAA) return of(known.aaaa);
    if (type === TYPE.TXT) return of(known.txt);
    if (type === TYPE.CNAME && known.alias !== undefined) return of([known.alias.record]);
    const isApex = type === TYPE.SOA && known.alias === undefined &&
      owner === this.#apexOf(owner, key);
    return isApex ? [this.#soaOf(owner)] : [];
  }

  #zoneOf(name: WireName): WireName | undefined {
    return this.#zones.find((zone) => isIn(name, zone));
  }

  /** A name outside all zones is the apex of its own zone; a wildcard belongs to the zone of its parent. */
  #apexOf(name: WireName, key: WireName): WireName {
    return this.#zoneOf(name) ?? (isWildcard(key) ? [...ancestorsOf(key)][0]! : name);
  }

  #enclosingSoa(name: WireName, key = name): OwnedRecord {
    return this.#soaOf(this.#apexOf(name, key));
  }

  /** The SOA record, whose MINIMUM is the TTL of negative answers (RFC 2308 3, 4). */
  #soaOf(zone: WireName): OwnedRecord {
    const data: RecordData = { type: "SOA", ttl: this.#ttl, data: { ...SOA, minimum: this.#ttl } };
    return { owner: zone, data };
  }
}

/** Placeholders: there are no zone transfers, and the mailbox is in a reserved domain (RFC 2606 2). */
const SOA = {
  mname: "localhost",
  rname: "nobody.invalid",
  serial: 1,
  refresh: 3600,
  retry: 1200,
  expire: 604_800,
};

/** RFC 1035 2.3.4: labels of at most 63 bytes, 253 with the dots between them. */
function requireName(text: string): WireName {
  const name = parseName(text);
  if (name !== undefined) return name;
  throw new TypeError(
    `dns: ${JSON.stringify(text)} is not a name; write "host.example" or "*.example"`,
  );
}
