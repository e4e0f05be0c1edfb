/**
 * Parses the PROXY header that a server behind `forward` receives.
 *
 * @module
 */
import { parseProxyHeader } from "../../../plugins/shared/proxy_header.ts";
import type { Duplex } from "../../../plugins/shared/relay.ts";

/** The client's port, or the error if the connection ended before. */
export async function readHeader(connection: Duplex): Promise<number | "end" | "error"> {
  const bytes: number[] = [];
  const one = new Uint8Array(1);
  try {
    for (;;) {
      if (await connection.read(one) === null) return "end";
      bytes.push(one[0]!);
      const parsed = parseProxyHeader(new Uint8Array(bytes));
      if (parsed.state === "complete") return parsed.header.endpoints!.source.port;
      if (parsed.state === "malformed") return "end";
    }
  } catch {
    return "error";
  }
}
