/**
 * Runs the handlers of one connection.
 *
 * @module
 */
import { messageOf, stackOf } from "../error_text.ts";
import { PeerFaultError } from "../errors.ts";
import { formatHostPort } from "../host_port.ts";
import type { StackSocket } from "../tcp/tcp_socket.ts";
import type { Handler } from "../types.ts";
import { ConnectionContext } from "./connection_context.ts";
import type { HandlerEnvironment } from "./handler_context.ts";
import { endOfChain, promised } from "./run_chain.ts";

/**
 * Serves a connection with a handler; closes it when the handler has finished. Allocates as little as
 * possible for a waiting handler, since there may be very many.
 */
export function serveConnection(
  socket: StackSocket,
  handler: Handler,
  environment: HandlerEnvironment,
): void {
  socket.serveIn(environment);
  environment.handlerSet.enter();
  const context = new ConnectionContext(socket);
  // A whole number takes less memory.
  const age = socket.hasMovedHere ? socket.ageSeconds * 1000 : 0;
  const began = Math.round(environment.clock.now()) - age;
  void promised(handler, context, endOfChain).then(
    () => {
      void socket.close();
      handlerEnded(socket, began);
    },
    (error: unknown) => handlerFailed(socket, error, began),
  );
}

function handlerEnded(socket: StackSocket, began: number): void {
  const { handlerSet, counts, clock } = socket.environment!;
  // The plugins that continue a connection count its whole time.
  if (!socket.hasMovedAway) counts.durations.record((clock.now() - began) / 1000);
  handlerSet.leave();
}

/** A handler that throws aborts its own connection and no other. */
function handlerFailed(socket: StackSocket, error: unknown, began: number): void {
  const { hasFailed } = socket;
  socket.abort(error);
  handlerEnded(socket, began);
  // The handler is not at fault if the peer disconnected or broke the protocol, or if the
  // connection was aborted or moved for another reason.
  if (error instanceof PeerFaultError) return logPeerFault(socket, error);
  if (!hasFailed || socket.abortReason === error) logFailure(socket, error);
}

function logPeerFault(
  { localAddr: { port }, remoteAddr, environment }: StackSocket,
  { message: reason }: Error,
): void {
  const remote = formatHostPort(remoteAddr);
  environment!.log.debug("connection lost", { port, remote, reason });
}

function logFailure(socket: StackSocket, error: unknown): void {
  socket.environment!.counts.errors++;
  socket.environment!.log.error("handler failed, its connection was aborted", {
    port: socket.localAddr.port,
    remote: formatHostPort(socket.remoteAddr),
    error: messageOf(error),
    stack: stackOf(error),
  });
}
