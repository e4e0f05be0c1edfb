/**
 * Helpers to send to connections and read from them.
 *
 * @module
 */
import type { Socket } from "node:net";
import type { TcpError } from "../../core/api/errors.ts";

/** Text as bytes. */
export function bytes(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** The code of the error that a promise rejects with. */
export function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(() => "no error", (error: TcpError) => error.code);
}

/** Reads a socket of the runtime up to the FIN. */
export function received(socket: Socket): Promise<string> {
  let text = "";
  socket.on("data", (chunk) => text += chunk);
  return new Promise((resolve) => socket.on("end", () => resolve(text)));
}

/** Reads a connection up to its end. */
export async function textOf(socket: AsyncIterable<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of socket) text += decoder.decode(chunk, { stream: true });
  return text + decoder.decode();
}
