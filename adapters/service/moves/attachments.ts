/**
 * Passes sockets of the host, as descriptors in messages, along with connections that move to another process.
 *
 * @module
 */
import type { Attachment } from "../../../core/api/moves/types.ts";
import { NativeConnection } from "../../host/native/connection.ts";
import type { NativeSockets } from "../../host/native/sockets.ts";
import {
  type Bytes,
  FIONBIO,
  intBytes,
  readInt,
  SO_ACCEPTCONN,
  SO_TYPE,
  SOCK_STREAM,
  SOL_SOCKET,
} from "../../runtime/libc/linux.ts";

/** Whether an attachment can be passed to another process, because it is an open socket. */
export function isSocket(attachment: Attachment): attachment is NativeConnection {
  return attachment instanceof NativeConnection && attachment.descriptor !== undefined;
}

/** The descriptors of attachments; `undefined` if one of them is not a socket, or is closed. */
export function descriptorsOf(attachments: readonly Attachment[]): number[] | undefined {
  const sockets = attachments.filter(isSocket);
  return sockets.length < attachments.length
    ? undefined
    : sockets.map(({ descriptor }) => descriptor!);
}

/**
 * Makes connections from descriptors that another process has passed. They read and write nothing until the plugin
 * that gets them uses them.
 *
 * @throws {Error} One of them is not a connected socket; all of them are closed.
 */
export function attachmentsOf(
  sockets: NativeSockets,
  descriptors: readonly number[],
): NativeConnection[] {
  if (descriptors.every((each) => isConnection(sockets, each))) {
    return descriptors.map((each) => new NativeConnection(sockets, each, { isHeld: true }));
  }
  closeAll(sockets, descriptors);
  throw new Error("a descriptor that came with it is not a socket for a byte stream");
}

/** Closes descriptors that nobody uses. */
export function closeAll({ host }: NativeSockets, descriptors: readonly number[]): void {
  for (const each of descriptors) host.libc.close(each);
}

/**
 * Whether a descriptor is a connected socket for a byte stream. Also makes it non-blocking, because a blocking call
 * would stop the whole thread.
 */
function isConnection(sockets: NativeSockets, descriptor: number): boolean {
  const isStream = optionOf(sockets, descriptor, SO_TYPE) === SOCK_STREAM &&
    optionOf(sockets, descriptor, SO_ACCEPTCONN) === 0;
  return isStream && sockets.host.libc.ioctl(descriptor, FIONBIO, intBytes(1)) === 0;
}

function optionOf({ host }: NativeSockets, descriptor: number, name: number): number | undefined {
  const value: Bytes = new Uint8Array(4);
  const isSocket = host.libc.getsockopt(descriptor, SOL_SOCKET, name, value, intBytes(4)) === 0;
  return isSocket ? readInt(value) : undefined;
}
