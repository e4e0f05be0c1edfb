import type { Application } from "./application.ts";
import type { Session, World } from "./world.ts";

/** How a world ended. */
export type Outcome = "complete" | "no handshake" | "cut short";

/**
 * Checks a finished world, and throws unless every byte arrived once and in order, or is missing
 * because of an error or an application that did not read it. No connection may be left.
 */
export function assertOutcome(world: World): Outcome {
  const expected = 1 + (world.scenario.again?.length ?? 0);
  if (world.sessions.length < expected) {
    throw new Error(`a client did not reconnect: ${world.describe()}`);
  }
  world.assertNothingLeft();
  const outcomes = world.sessions.map((session) => outcomeOf(world, session));
  return (["no handshake", "cut short"] as const).find((one) => outcomes.includes(one)) ??
    "complete";
}

function outcomeOf(world: World, { client, server }: Session): Outcome {
  if (server === undefined) return assertNoHandshake(world, client);
  assertEnded(world, client);
  assertEnded(world, server);
  assertDelivery(world, client, server);
  assertDelivery(world, server, client);
  const complete = isComplete(client, server) && isComplete(server, client);
  return complete ? "complete" : "cut short";
}

/** The server gave up the attempt before the final ACK reached it. */
function assertNoHandshake(world: World, client: Application): Outcome {
  const isPerfect = world.scenario.conditions.every(({ loss, burst, deadFrom, corrupt }) =>
    loss + burst + corrupt === 0 && deadFrom === Infinity
  );
  const hasAborted = client.habits.ending !== "half-close";
  if (isPerfect && !hasAborted) throw new Error(`no handshake: ${world.describe()}`);
  if (client.ended?.error === undefined && !hasAborted) {
    throw new Error(`the client was not notified: ${world.describe()}`);
  }
  return "no handshake";
}

function assertEnded(world: World, application: Application): void {
  if (application.ended === undefined) throw new Error(`it did not end: ${world.describe()}`);
}

function isComplete(from: Application, to: Application): boolean {
  return to.received === from.habits.total && to.eof;
}

/** One direction. */
function assertDelivery(world: World, from: Application, to: Application): void {
  if (to.received > from.written) throw new Error(`more than was sent: ${world.describe()}`);
  if (from.habits.ending === "abort" || to.habits.ending !== "half-close") return;
  // RFC 2525 2.17: close() with unread data sends RST, which may overtake data.
  if (from.habits.ending === "close" && isReset(from) && to.habits.total > 0) return;
  if (!isComplete(from, to)) throw new Error(`not everything arrived: ${world.describe()}`);
  if (from.habits.ending !== "half-close") return;
  for (const { ended } of [from, to]) {
    if (ended?.error !== undefined) throw new Error(`an error: ${world.describe()}`);
  }
}

function isReset({ tcb }: Application): boolean {
  return tcb.config.close === "graceful";
}
