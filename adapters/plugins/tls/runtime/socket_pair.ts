/**
 * Pairs of connected kernel sockets.
 *
 * @module
 */
import { once } from "node:events";
import { mkdtemp, rmdir, unlink } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PeerFaultError, TcpError } from "../../../../core/api/errors.ts";
import { DESCRIPTOR_ADVICE, descriptorFault } from "../../../host/descriptors.ts";
import { FairTurns } from "./fair_turns.ts";

/** How long connecting a pair may take, in milliseconds. */
const ACCEPT_MS = 5000;

/** Opens one pair at a time, so that each accepted connection belongs to the pending connect(). */
const turns = new FairTurns();
let listener: Promise<PairListener> | undefined;

/** A Unix socket that listens while pairs are being opened. */
interface PairListener {
  readonly server: Server;
  readonly folder: string;
  readonly path: string;
}

/**
 * Opens a Unix connection and returns both ends, both with `allowHalfOpen`, the second one paused. The
 * listening socket is in a folder that only this user may enter, which is removed when no pair is
 * being opened.
 *
 * Clients take turns; `client` identifies the one that the pair is for. `isWanted` is called when it is this pair's
 * turn, and returns false if the client has disconnected; then no pair is opened.
 */
export function openSocketPair(
  client = "",
  isWanted: () => boolean = () => true,
): Promise<[Socket, Socket]> {
  const opened = turns.run(client, async () => {
    if (!isWanted()) throw new PeerFaultError("the connection ended before the handshake");
    const { server, path } = await (listener ??= openListener());
    const timeout = AbortSignal.timeout(ACCEPT_MS);
    const accepted = once(server, "connection", { signal: timeout }) as Promise<[Socket]>;
    const near = connect({ path, allowHalfOpen: true });
    try {
      const [[far]] = await Promise.all([accepted, once(near, "connect")]);
      return [near, far] as [Socket, Socket];
    } catch (error) {
      // Once accept() has failed for lack of a descriptor, Deno never accepts again on this socket.
      near.on("error", () => {}).destroy();
      await closeListener();
      throw timeout.aborted ? noDescriptor() : error;
    }
  });
  return opened.finally(() => {
    if (turns.isIdle) return closeListener();
  });
}

async function openListener(): Promise<PairListener> {
  const folder = await mkdtemp(join(tmpdir(), "berth-"));
  const path = join(folder, "pair");
  const server = createServer({ allowHalfOpen: true });
  // An unhandled error would end the process; the waiting caller has a timeout.
  server.on("error", () => {});
  try {
    server.listen(path);
    await once(server, "listening");
    return { server, folder, path };
  } catch (error) {
    await removeFolder(folder, path);
    throw error;
  }
}

async function closeListener(): Promise<void> {
  const closing = listener;
  listener = undefined;
  const opened = await closing?.catch(() => undefined);
  if (!opened) return;
  opened.server.close();
  await removeFolder(opened.folder, opened.path);
}

/**
 * Removes the folder and the socket by name. Listing the folder would need a file descriptor, and there may be none
 * left.
 */
async function removeFolder(folder: string, path: string): Promise<void> {
  await unlink(path).catch(() => {}); // the server may have removed it
  await rmdir(folder).catch(() => {});
}

function noDescriptor(): TcpError {
  const reason = DESCRIPTOR_ADVICE[descriptorFault() ?? "EMFILE"];
  return new TcpError("INSUFFICIENT_RESOURCES", `no socket for TLS can be opened: ${reason}`);
}
