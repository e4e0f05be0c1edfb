/**
 * Finds out whether an own address is another station's before it is used.
 *
 * @module
 */
import type { Random } from "../../../core/api/environment.ts";
import type { IpAddress } from "../../../core/wire/address.ts";
import { readU32 } from "../../../core/wire/bytes.ts";
import { formatMac } from "../../../core/wire/ethernet.ts";

/** How often an address is asked for, and how long it is waited, in milliseconds. */
interface Timing {
  /** The first probe leaves at a random time in this. */
  readonly wait: number;
  readonly probes: number;
  /** Between two probes, at least and at most. */
  readonly shortest: number;
  readonly longest: number;
  /** Behind the last probe. */
  readonly patience: number;
  readonly announcements: number;
}

/** RFC 5227 1.1. */
const ARP: Timing = {
  wait: 1000,
  probes: 3,
  shortest: 1000,
  longest: 2000,
  patience: 2000,
  announcements: 2,
};
/** RFC 4862 5.1 and 5.4.2, RFC 4861 10. */
const NEIGHBOR_DISCOVERY: Timing = {
  wait: 1000,
  probes: 1,
  shortest: 1000,
  longest: 1000,
  patience: 1000,
  announcements: 1,
};
/** RFC 5227 1.1, milliseconds. */
const ANNOUNCE_INTERVAL = 2000;

/** An own address that another station has. */
export interface DuplicateAddress {
  /** The IP address. */
  readonly address: string;
  /** The link-layer address of the station that has it, or is about to take it. */
  readonly mac: string;
}

/** What the detection needs done. */
export interface DetectionHooks {
  /** Asks everybody for the address, from nobody. */
  probe(address: IpAddress): void;
  /** Tells everybody the address, which is this station's now. */
  announce(address: IpAddress): void;
  /** Another station has the address. */
  found(duplicate: DuplicateAddress): void;
  /** `handleTimeout()` is due then. */
  schedule(at: number): void;
}

interface Candidate {
  readonly address: IpAddress;
  state: "TENTATIVE" | "DUPLICATE" | "ANNOUNCING";
  /** Probes or announcements of this state that have been sent. */
  sent: number;
  deadline: number;
  mac: number;
}

/** The states of an address: RFC 5227 2.1 and RFC 4862 5.4, with the time as an argument. */
export class DuplicateDetection {
  readonly #hooks: DetectionHooks;
  readonly #random: Random;
  readonly #word = new Uint8Array(4);
  readonly #candidates = new Set<Candidate>();
  /** Not to be used: tentative, or another's. */
  #withheld: readonly IpAddress[] = [];
  #settled = Promise.withResolvers<void>();

  constructor(random: Random, hooks: DetectionHooks) {
    this.#random = random;
    this.#hooks = hooks;
    this.#settled.resolve();
  }

  /** Some address is not to be used, or not yet. */
  get isWithholding(): boolean {
    return this.#withheld.length > 0;
  }

  /** The addresses that another station has. */
  get duplicates(): readonly DuplicateAddress[] {
    return [...this.#candidates].filter(({ state }) => state === "DUPLICATE").map(duplicateOf);
  }

  /** Whether the address is not to be used, or not yet. */
  withholds(address: IpAddress): boolean {
    return this.#withheld.some((withheld) => withheld.equals(address));
  }

  /** Why a packet from or to the address is dropped, if it is. */
  reasonFor(address: IpAddress): "drop.tentative" | "drop.duplicate" | undefined {
    if (!this.withholds(address)) return undefined;
    const isDuplicate = [...this.#candidates].some((candidate) =>
      candidate.state === "DUPLICATE" && candidate.address.equals(address)
    );
    return isDuplicate ? "drop.duplicate" : "drop.tentative";
  }

  /** Begins to probe an address. */
  start(address: IpAddress, now: number): void {
    this.stop(address);
    const deadline = now + this.#fraction() * timingOf(address).wait;
    const candidate: Candidate = { address, state: "TENTATIVE", sent: 0, deadline, mac: 0 };
    if (!this.#isProbing()) this.#settled = Promise.withResolvers();
    this.#candidates.add(candidate);
    this.#update();
    this.#hooks.schedule(deadline);
  }

  /** Forgets an address. */
  stop(address: IpAddress): void {
    for (const candidate of this.#candidates) {
      if (candidate.address.equals(address)) this.#candidates.delete(candidate);
    }
    this.#update();
  }

  /** A station at `mac` has the address, or is probing it too; false: it is not a tentative one. */
  conflict(address: IpAddress, mac: number): boolean {
    for (const candidate of this.#candidates) {
      if (candidate.state !== "TENTATIVE" || !candidate.address.equals(address)) continue;
      candidate.state = "DUPLICATE";
      candidate.mac = mac;
      this.#hooks.found(duplicateOf(candidate));
      this.#update();
      return true;
    }
    return false;
  }

  /** Probes, accepts and announces what is due. */
  handleTimeout(now: number): void {
    for (const candidate of [...this.#candidates]) {
      if (candidate.state === "DUPLICATE") continue;
      if (candidate.deadline <= now) this.#advance(candidate, now);
      if (this.#candidates.has(candidate)) this.#hooks.schedule(candidate.deadline);
    }
  }

  #advance(candidate: Candidate, now: number): void {
    const { address } = candidate;
    const timing = timingOf(address);
    if (candidate.state === "TENTATIVE" && candidate.sent < timing.probes) {
      candidate.sent++;
      const gap = timing.shortest + this.#fraction() * (timing.longest - timing.shortest);
      candidate.deadline = now + (candidate.sent < timing.probes ? gap : timing.patience);
      this.#hooks.probe(address);
      return;
    }
    if (candidate.state === "TENTATIVE") {
      candidate.state = "ANNOUNCING";
      candidate.sent = 0;
      this.#update();
    }
    candidate.sent++;
    candidate.deadline = now + ANNOUNCE_INTERVAL;
    if (candidate.sent === timing.announcements) this.#candidates.delete(candidate);
    this.#hooks.announce(address);
  }

  /** Resolves when no address is tentative, or when the link has closed. */
  untilSettled(): Promise<void> {
    return this.#settled.promise;
  }

  /** Forgets what is being probed. */
  close(): void {
    this.#candidates.clear();
    this.#update();
  }

  #isProbing(): boolean {
    return [...this.#candidates].some(({ state }) => state === "TENTATIVE");
  }

  #update(): void {
    this.#withheld = [...this.#candidates].filter(({ state }) => state !== "ANNOUNCING")
      .map(({ address }) => address);
    if (!this.#isProbing()) this.#settled.resolve();
  }

  #fraction(): number {
    this.#random.fill(this.#word);
    return readU32(this.#word, 0) / 2 ** 32;
  }
}

function timingOf({ isV4 }: IpAddress): Timing {
  return isV4 ? ARP : NEIGHBOR_DISCOVERY;
}

function duplicateOf({ address, mac }: Candidate): DuplicateAddress {
  return { address: address.toString(), mac: formatMac(mac) };
}
