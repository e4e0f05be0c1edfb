/**
 * Connections whose sides write, half-close, close and reset in every order, and the required
 * outcome regardless of what is between them.
 *
 * @module
 */
import type { Duplex } from "../../../plugins/shared/relay.ts";
import type { Dice } from "../../fuzz/dice.ts";
import { fillPattern, findMismatch } from "../pattern.ts";

/**
 * How a side ends: gracefully, by closing without reading on, or by a reset while it writes or
 * reads.
 */
export type Ending = "orderly" | "leaves" | "resets-writing" | "resets-reading";

/** Behaviour of one side. */
export interface SidePlan {
  /** The pattern that it writes. */
  readonly stream: number;
  /** Bytes that it writes. */
  readonly size: number;
  /** Size of a write. */
  readonly writeSize: number;
  /** Maximum size of a read. */
  readonly readSize: number;
  /** Order: write first, read to the end first, or both concurrently. */
  readonly order: "writes" | "reads" | "both";
  readonly ending: Ending;
  /** Number of bytes written or read before it closes early or resets. */
  readonly endAfter: number;
  /** Probability of a pause before each step. */
  readonly pauses: number;
}

/** Outcome of a side. */
export interface SideResult {
  received: number;
  /** Whether it has half-closed. */
  ended: boolean;
  /** Whether it has read the other side's FIN. */
  sawEnd: boolean;
  /** Whether it received a wrong byte. */
  wrongAt?: number;
  /** The error, if any. */
  error?: unknown;
}

/** Both sides of one connection. */
export interface ConnectionPlan {
  readonly client: SidePlan;
  readonly upstream: SidePlan;
}

/** Draws a connection; at most one side does not end gracefully but as in `endings`. */
export function planConnection(
  index: number,
  dice: Dice,
  endings: readonly Ending[],
): ConnectionPlan {
  const client = planSide(2 * index, dice);
  const upstream = planSide(2 * index + 1, dice);
  // Two sides that wait for each other's FIN would deadlock.
  const order = client.order === "reads" && upstream.order === "reads" ? "both" : upstream.order;
  const odd = dice.chance(0.3) ? dice.of(["client", "upstream"] as const) : undefined;
  const ending = endings.length > 0 ? dice.of(endings) : "orderly";
  return {
    client: { ...client, ending: odd === "client" ? ending : "orderly" },
    upstream: { ...upstream, order, ending: odd === "upstream" ? ending : "orderly" },
  };
}

function planSide(stream: number, dice: Dice): SidePlan {
  const size = sizeFrom(dice);
  return {
    stream,
    size,
    writeSize: Math.ceil(size / dice.of([1, 1, 2, 5, 20])),
    readSize: dice.of([1460, 10_000, 65_536]),
    order: dice.of(["writes", "reads", "both"] as const),
    ending: "orderly",
    endAfter: dice.below(size + 1),
    pauses: dice.of([0, 0.1, 0.5]),
  };
}

/** Often nothing, mostly little, sometimes more than the buffers hold. */
function sizeFrom(dice: Dice): number {
  const kind = dice.below(100);
  if (kind < 15) return 0;
  if (kind < 80) return dice.below(2000);
  return kind < 99 ? dice.below(10_000) : dice.below(300_000);
}

/** Plays one side; resolves when it has finished, regardless of the other. */
export async function playSide(
  connection: Duplex,
  plan: SidePlan,
  peer: SidePlan,
  pause: () => Promise<void>,
  chance: (share: number) => boolean,
): Promise<SideResult> {
  const result: SideResult = { received: 0, ended: false, sawEnd: false };
  const step = () => chance(plan.pauses) ? pause() : Promise.resolve();
  const side = { connection, plan, peer, result, step };
  try {
    if (plan.order === "reads") await read(side);
    if (plan.order === "both") await Promise.all([write(side), read(side)]);
    else await write(side);
    if (plan.order === "writes") await read(side);
    await connection.close();
    if (plan.ending === "orderly") await connection.closed;
  } catch (error) {
    result.error = error;
    connection.abort();
  }
  // Errors after it has finished are ignored.
  return { ...result };
}

interface Side {
  readonly connection: Duplex;
  readonly plan: SidePlan;
  readonly peer: SidePlan;
  readonly result: SideResult;
  readonly step: () => Promise<void>;
}

/** Writing to a side that has closed early may fail, but its data can still be read. */
async function write(side: Side): Promise<void> {
  try {
    await writeAll(side);
  } catch (error) {
    if (side.peer.ending !== "leaves") throw error;
  }
}

async function writeAll({ connection, plan, result, step }: Side): Promise<void> {
  const resets = plan.ending === "resets-writing";
  const size = resets ? plan.endAfter : plan.size;
  for (let at = 0; at < size;) {
    await step();
    const chunk = new Uint8Array(Math.min(plan.writeSize, size - at));
    fillPattern(chunk, plan.stream, at);
    await connection.write(chunk);
    at += chunk.length;
  }
  await step();
  if (resets) throw new Error("resets");
  result.ended = true;
  await connection.closeWrite();
}

async function read({ connection, plan, peer, result, step }: Side): Promise<void> {
  const isEarly = plan.ending === "leaves" || plan.ending === "resets-reading";
  const enough = isEarly ? Math.min(plan.endAfter, peer.size) : Infinity;
  const chunk = new Uint8Array(plan.readSize);
  while (result.received < enough) {
    await step();
    const size = await connection.read(chunk);
    if (size === null) {
      result.sawEnd = true;
      break;
    }
    const wrong = findMismatch(chunk.subarray(0, size), peer.stream, result.received);
    if (wrong >= 0) result.wrongAt ??= result.received + wrong;
    result.received += size;
  }
  if (plan.ending === "resets-reading") throw new Error("resets");
}

/** The error in the outcome of a connection, or `undefined`. */
export function judge(
  plan: ConnectionPlan,
  client: SideResult,
  upstream: SideResult,
): string | undefined {
  const resets = [plan.client, plan.upstream].some(({ ending }) => ending.startsWith("resets"));
  return judgeSide("client", plan.client, client, plan.upstream, upstream, resets) ??
    judgeSide("upstream", plan.upstream, upstream, plan.client, client, resets);
}

function judgeSide(
  name: string,
  plan: SidePlan,
  result: SideResult,
  peerPlan: SidePlan,
  peer: SideResult,
  resets: boolean,
): string | undefined {
  const { received, sawEnd, wrongAt, error } = result;
  const fault = (text: string) =>
    `${name} ${text}: ${JSON.stringify({ plan, result, error: String(error), peerPlan, peer })}`;
  if (wrongAt !== undefined) return fault(`got a wrong byte at ${wrongAt}`);
  if (sawEnd && !peer.ended) return fault("saw an end that was not sent");
  if (sawEnd && received !== peerPlan.size) return fault("saw an end before all data had arrived");
  if (resets) return undefined;
  if (plan.ending === "leaves") return undefined;
  if (received !== peerPlan.size) return fault("did not get everything");
  if (peerPlan.ending === "leaves") return undefined;
  if (error !== undefined) return fault("failed");
  return sawEnd ? undefined : fault("saw no end");
}
