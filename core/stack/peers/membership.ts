/**
 * The instances that share the addresses of a stack, and which of them owns a connection whose segments have no mark.
 *
 * @module
 */
import { MAX_INSTANCES } from "./instance_mark.ts";

/**
 * Time in milliseconds after which a member from which nothing has been heard gets no new connections. If its host has
 * also refused a message since, its process is gone: the member counts as dead. Otherwise its segments are still sent to
 * it.
 */
export const DEAD_MS = 3000;

/**
 * Time in milliseconds after which a member from which nothing has been heard counts as dead even if its host refuses
 * nothing. It is long, because a process that is suspended or not scheduled is silent too, and must keep its
 * connections.
 */
export const SILENT_MS = 15_000;

/** How long an instance waits at its start until all others list it as a member, in milliseconds. */
export const JOIN_MS = 10_000;

/** How long an instance asks the others for announcements after its start, in milliseconds. */
const ASK_MS = 2000;

interface Member {
  /** When its last message arrived; `-Infinity`: never. */
  heardAt: number;
  /** Whether it accepts new connections. */
  isServing: boolean;
  /** Whether its host has refused a message since the last one arrived from it. */
  isRefused: boolean;
}

/**
 * The members of this epoch and of the previous one, and what has been heard from them. An epoch begins when the list
 * of members changes.
 */
export class Membership {
  readonly #self: number;
  #startedAt: number;
  #isContinued = false;
  readonly #heard: Member[] = Array.from(
    { length: MAX_INSTANCES },
    () => ({ heardAt: -Infinity, isServing: true, isRefused: false }),
  );
  #current: readonly number[];
  #previous: readonly number[] = [];
  /** Whether this instance accepts new connections. */
  isServing = true;

  /** Starts alone, at `now` in milliseconds. */
  constructor(self: number, now: number) {
    this.#self = self;
    this.#startedAt = now;
    this.#current = [self];
  }

  /**
   * Takes over from another process of the same instance at `now`: the others already list the instance, and silence
   * and refusals before `now` do not make them count as dead.
   */
  continueAt(now: number): void {
    this.#startedAt = now;
    for (const member of this.#heard) member.isRefused = false;
    this.#isContinued = true;
  }

  /** Whether this instance started so recently that it may not know all earlier announcements of the others. */
  isNew(now: number): boolean {
    return now - this.#startedAt < ASK_MS;
  }

  /** Begins an epoch with these members, to which this instance always belongs. Equal members change nothing. */
  setMembers(members: readonly number[]): void {
    const next = [...new Set([...members, this.#self])].sort((one, other) => one - other);
    if (next.join() === this.#current.join()) return;
    this.#previous = this.#current;
    this.#current = next;
  }

  /** All others of this epoch and the previous one. */
  others(): number[] {
    return this.#both().filter((member) => member !== this.#self);
  }

  /** Whether messages of `member` are accepted. */
  isOther(member: number): boolean {
    return member !== this.#self &&
      (this.#current.includes(member) || this.#previous.includes(member));
  }

  /**
   * A message of a member has arrived. Returns whether that member may have counted as dead: then this instance may have
   * counted as dead there, too.
   */
  heard(member: number, isServing: boolean, now: number): boolean {
    const known = this.#heard[member]!;
    const wasDead = known.heardAt !== -Infinity && now - known.heardAt >= DEAD_MS;
    known.heardAt = now;
    known.isServing = isServing;
    known.isRefused = false;
    return wasDead;
  }

  /** The host of a member has refused a message: no process has the port, or the host is gone. */
  refused(member: number): void {
    const known = this.#heard[member];
    if (known !== undefined) known.isRefused = true;
  }

  /** Whether a member may answer. Right after the start no member has been heard from. */
  isReachable(member: number, now: number): boolean {
    if (!this.isOther(member)) return false;
    const { heardAt, isRefused } = this.#heard[member]!;
    return now - Math.max(heardAt, this.#startedAt) < (isRefused ? DEAD_MS : SILENT_MS);
  }

  /** The instance for a new connection, which may be this one; `undefined`: none accepts any. */
  instanceForNew(hash: number, now: number): number | undefined {
    return bestOf(this.#accepting(now), hash);
  }

  /**
   * Which other instances may have a connection without a mark, in order of likelihood. Each is the one that
   * rendezvous hashing chooses for the 4-tuple from a set of other members:
   *
   * 1. those that accept connections;
   * 2. all that are reachable, draining ones included;
   * 3. those of the previous epoch;
   * 4. the set of 2 without the member chosen from it, which may have joined since, or may have been dead then;
   * 5. the set of 1 without the member chosen from it, which may be draining although its message has not arrived yet.
   */
  candidates(hash: number, now: number): number[] {
    const isOther = (member: number) => member !== this.#self;
    const isReachable = (member: number) => this.isReachable(member, now);
    const accepting = this.#accepting(now).filter(isOther);
    const reachable = this.others().filter(isReachable);
    const first = bestOf(accepting, hash);
    const top = bestOf(reachable, hash);
    const found = new Set([
      first,
      top,
      bestOf(this.#previous.filter(isReachable), hash),
      bestOf(reachable.filter((member) => member !== top), hash),
      bestOf(accepting.filter((member) => member !== first), hash),
    ]);
    found.delete(undefined);
    return [...found] as number[];
  }

  /**
   * Whether each other member of this epoch has been heard from. An instance reports only to those that it lists as
   * members, so each member that has been heard from lists this one. After {@link JOIN_MS} the rest counts as dead.
   */
  hasJoined(now: number): boolean {
    return this.#isContinued || now - this.#startedAt >= JOIN_MS ||
      this.#current.every((member) =>
        member === this.#self || this.#heard[member]!.heardAt !== -Infinity
      );
  }

  #both(): number[] {
    return [...new Set([...this.#current, ...this.#previous])];
  }

  /** A member gets new connections once it has been heard from. */
  #accepting(now: number): number[] {
    return this.#current.filter((member) => {
      if (member === this.#self) return this.isServing;
      const { heardAt, isServing } = this.#heard[member]!;
      return isServing && now - heardAt < DEAD_MS;
    });
  }
}

/**
 * Rendezvous hashing: the member with the highest score. When a member is removed, only its connections are assigned to
 * other members.
 */
function bestOf(members: readonly number[], hash: number): number | undefined {
  let best: number | undefined;
  let highest = -1;
  for (const member of members) {
    const score = scoreOf(member, hash);
    if (score <= highest) continue;
    highest = score;
    best = member;
  }
  return best;
}

/** Mixes both arguments into 32 bits, each of which depends on every bit of them; `hash` is keyed. */
function scoreOf(member: number, hash: number): number {
  let mixed = hash ^ Math.imul(member + 1, 0x9e3779b1);
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
