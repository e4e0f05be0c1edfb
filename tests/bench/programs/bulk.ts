/**
 * A server of bulk data, with or without checking every byte. The first byte of a connection
 * selects the mode.
 *
 * @module
 */
import type { Context, TcpSocket } from "../../../core/api/types.ts";
import { PATTERN, PatternCheck } from "./bulk_pattern.ts";

/**
 * `u`: reads to the end, then reports the number of bytes and of wrong pieces. `U`: the same with
 * checking. `d`: sends until the peer closes.
 */
export default async function bulk({ socket }: Context): Promise<void> {
  const mode = new Uint8Array(1);
  if (await socket.read(mode) === null) return;
  const letter = String.fromCharCode(mode[0]!);
  if (letter === "d") await send(socket);
  else await receive(socket, letter === "U");
}

async function receive(socket: TcpSocket, looks: boolean): Promise<void> {
  const check = new PatternCheck();
  for await (const view of socket.views()) {
    if (looks) check.take(view);
    else check.count(view);
  }
  const { bytes, mismatches } = check;
  await socket.write(new TextEncoder().encode(JSON.stringify({ bytes, mismatches })));
}

async function send(socket: TcpSocket): Promise<void> {
  let isOver = false;
  void socket.read(new Uint8Array(1)).catch(() => {}).then(() => isOver = true);
  while (!isOver) await socket.write(PATTERN);
  await socket.closeWrite();
}
