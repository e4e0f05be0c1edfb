/**
 * A plugin that sends the destination address and port, and closes the connection.
 *
 * @module
 */
import type { Context } from "../../../core/api/types.ts";

/** One line: `10.91.3.7 1234`. */
export default async function sayWhere({ socket }: Context): Promise<void> {
  const { hostname, port } = socket.localAddr;
  await socket.write(new TextEncoder().encode(`${hostname} ${port}\n`));
}
