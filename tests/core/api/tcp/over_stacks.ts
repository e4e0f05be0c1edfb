/**
 * Connections between two stacks for the socket conformance suite.
 *
 * @module
 */
import type { TcpSocket } from "../../../../core/api/types.ts";
import { type Connected, StackPair } from "../stack_pair.ts";
import type { Conversation } from "./socket_conformance.ts";

/** A connection in virtual time; `choose` returns the socket under test and its peer. */
export async function overStacks(
  choose: (connected: Connected) => [socket: TcpSocket, peer: TcpSocket],
): Promise<Conversation> {
  const pair = new StackPair({ sendBuffer: 8192, receiveBuffer: 8192 });
  const [socket, peer] = choose(await pair.connect());
  return {
    socket,
    peer,
    moreThanFits: 60_000,
    run: (promise) => pair.run(promise),
    until: (condition) => pair.clock.runUntil(condition),
    settle: () => pair.clock.advance(50),
    [Symbol.asyncDispose]: () => pair[Symbol.asyncDispose](),
  };
}
