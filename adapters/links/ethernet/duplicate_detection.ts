/**
 * Duplicate address detection (RFC 5227 for IPv4, RFC 4862 5.4 for IPv6).
 *
 * @module
 */
import type { Random } from "../../../core/api/environment.ts";
import type { IpAddress } from "../../../core/wire/address.ts";
import { readU32 } from "../../../core/wire/bytes.ts";
import { formatMac } from "../../../core/wire/ethernet.ts";

/** Number of probes and their timing, in milliseconds. */
interface Timing {
  /** Maximum random delay before the first probe. */
  readonly wait: number;
  readonly probes: number;
  /** Minimum and maximum interval between probes. */
  readonly shortest: number;
  readonly longest: number;
  /** Time to wait for a conflict after the last probe. */
  readonly conflictWait: number;
  readonly announcements: number;
}

/** RFC 5227 1.1. */
const ARP: Timing = {
  wait: 1000,
  probes: 3,
  shortest: 1000,
  longest: 2000,
  conflictWait: 2000,
  announcements: 2,
};
/** RFC 4862 5.1 and 5.4.2, RFC 4861 10. */
const NEIGHBOR_DISCOVERY: Timing = {
  wait: 1000,
  probes: 1,
  shortest: 1000,
  longest: 1000,
  conflictWait: 1000,
  announcements: 1,
};
/** RFC 5227 1.1, milliseconds. */
const ANNOUNCE_INTERVAL = 2000;

/** An address of this station that another station uses. */
export interface DuplicateAddress {
  /** The IP address. */
  readonly address: string;
  /** The link-layer address of the station that uses or probes it. */
  readonly mac: string;
}

/** Actions that the detection triggers. */
export interface DetectionHooks {
  /** Broadcasts a probe, from the unspecified address. */
  probe(address: IpAddress): void;
  /** Announces the address, which is this station's now. */
  announce(address: IpAddress): void;
  /** Reports a duplicate address. */
  found(duplicate: DuplicateAddress): void;
  /** Schedules a call of `handleTimeout()`. */
  schedule(at: number): void;
}

interface Candidate {
  readonly address: IpAddress;
  state: "TENTATIVE" | "DUPLICATE" | "ANNOUNCING";
  /** Number of probes or announcements sent in this state. */
  sent: number;
  deadline: number;
  mac: number;
}

/** The state machine of RFC 5227 2.1 and RFC 4862 5.4; the time is an argument. */
export class DuplicateDetection {
  readonly #hooks: DetectionHooks;
  readonly #random: Random;
  readonly #word = new Uint8Array(4);
  readonly #candidates = new Set<Candidate>();
  /** Addresses that must not be used: tentative, or duplicate. */
  #withheld: readonly IpAddress[] = [];
  #settled = Promise.withResolvers<void>();

  constructor(random: Random, hooks: DetectionHooks) {
    this.#random = random;
    this.#hooks = hooks;
    this.#settled.resolve();
  }

  /** Whether any address must not be used (yet). */
  get isWithholding(): boolean {
    return this.#withheld.length > 0;
  }

  /** The own addresses that another station uses. */
  get duplicates(): readonly DuplicateAddress[] {
    return [...this.#candidates].filter(({ state }) => state === "DUPLICATE").map(duplicateOf);
  }

  /** Whether the address must not be used (yet). */
  withholds(address: IpAddress): boolean {
    return this.#withheld.some((withheld) => withheld.equals(address));
  }

  /** The reason to drop packets from or to the address, if any. */
  reasonFor(address: IpAddress): "drop.tentative" | "drop.duplicate" | undefined {
    if (!this.withholds(address)) return undefined;
    const isDuplicate = [...this.#candidates].some((candidate) =>
      candidate.state === "DUPLICATE" && candidate.address.equals(address)
    );
    return isDuplicate ? "drop.duplicate" : "drop.tentative";
  }

  /** Starts probing an address. */
  start(address: IpAddress, now: number): void {
    this.stop(address);
    const deadline = now + this.#fraction() * timingOf(address).wait;
    const candidate: Candidate = { address, state: "TENTATIVE", sent: 0, deadline, mac: 0 };
    if (!this.#isProbing()) this.#settled = Promise.withResolvers();
    this.#candidates.add(candidate);
    this.#update();
    this.#hooks.schedule(deadline);
  }

  /** Stops detection for an address. */
  stop(address: IpAddress): void {
    for (const candidate of this.#candidates) {
      if (candidate.address.equals(address)) this.#candidates.delete(candidate);
    }
    this.#update();
  }

  /**
   * Handles a conflict with the station `mac`, which uses or probes the address; returns false if
   * the address is not tentative.
   */
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

  /** Sends the probes and announcements that are due. */
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
      candidate.deadline = now + (candidate.sent < timing.probes ? gap : timing.conflictWait);
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

  /** Resolves when no address is tentative, or when the link is closed. */
  untilSettled(): Promise<void> {
    return this.#settled.promise;
  }

  /** Stops all probing. */
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
