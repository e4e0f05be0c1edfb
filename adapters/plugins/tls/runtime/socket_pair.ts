/**
 * Pairs of connected sockets of the kernel.
 *
 * @module
 */
import { once } from "node:events";
import { mkdtemp, rmdir, unlink } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PeerFaultError, TcpError } from "../../../../core/api/errors.ts";
import { SerialQueue } from "../../../../core/api/runtime/serial_queue.ts";
import { DESCRIPTOR_ADVICE, descriptorFault } from "../../../host/descriptors.ts";

/** How long the two ends may take to meet, in milliseconds. */
const ACCEPT_MS = 5000;

/** Opens pairs one after the other, so that each connection meets its own other end. */
const turns = new SerialQueue();
let door: Promise<Door> | undefined;

/** A Unix socket that is listened on while pairs are being opened. */
interface Door {
  readonly server: Server;
  readonly folder: string;
  readonly path: string;
}

/**
 * Two ends of one Unix connection, both with `allowHalfOpen`, the second one paused. They meet in a
 * folder that only this user may enter, and that is removed when no pair is being opened.
 *
 * `isWanted` is asked when the pair's turn has come: a client that is gone by then gets none, so that
 * those behind it do not wait for it.
 */
export function openSocketPair(isWanted: () => boolean = () => true): Promise<[Socket, Socket]> {
  const opened = turns.run(async () => {
    if (!isWanted()) throw new PeerFaultError("the connection ended before the handshake");
    const { server, path } = await (door ??= openDoor());
    const timeout = AbortSignal.timeout(ACCEPT_MS);
    const accepted = once(server, "connection", { signal: timeout }) as Promise<[Socket]>;
    const near = connect({ path, allowHalfOpen: true });
    try {
      const [[far]] = await Promise.all([accepted, once(near, "connect")]);
      return [near, far] as [Socket, Socket];
    } catch (error) {
      // Without a descriptor for the far end Deno never accepts again: the next pair has a new door.
      near.on("error", () => {}).destroy();
      await closeDoor();
      throw timeout.aborted ? noDescriptor() : error;
    }
  });
  return opened.finally(() => {
    if (turns.isIdle) return closeDoor();
  });
}

async function openDoor(): Promise<Door> {
  const folder = await mkdtemp(join(tmpdir(), "berth-"));
  const path = join(folder, "pair");
  const server = createServer({ allowHalfOpen: true });
  // Who waits for a pair has a time limit; without a listener an error would end the process.
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

async function closeDoor(): Promise<void> {
  const closing = door;
  door = undefined;
  const opened = await closing?.catch(() => undefined);
  if (!opened) return;
  opened.server.close();
  await removeFolder(opened.folder, opened.path);
}

/** Needs no file descriptor, as reading the folder would: there may be none left. */
async function removeFolder(folder: string, path: string): Promise<void> {
  await unlink(path).catch(() => {}); // the server may have removed it
  await rmdir(folder).catch(() => {});
}

function noDescriptor(): TcpError {
  const reason = DESCRIPTOR_ADVICE[descriptorFault() ?? "EMFILE"];
  return new TcpError("INSUFFICIENT_RESOURCES", `there is no socket for TLS: ${reason}`);
}
