/**
 * The setting `moves`: how connections move between instances.
 *
 * @module
 */
import { resolve } from "node:path";
import { z } from "zod";
import { type HostPort, parseHostPort } from "../../../core/api/host_port.ts";
import { type Origin, pathFrom } from "./setting.ts";

/** A Unix socket, or a TCP port of the host. */
export type MoveAddress = { readonly path: string } | HostPort;

/** How connections move to and from other instances. */
export interface MovesSetting {
  /** The file with the secret that both instances share. */
  readonly secretFile: string;
  /** Where connections are received; absent if none are. */
  readonly listen?: MoveAddress | undefined;
}

const EXPECTED = "expected unix:PATH or HOST:PORT such as 192.0.2.11:7947";

/** The address in a text; `undefined` if the text is not an address. */
export function parseMoveAddress(text: string): MoveAddress | undefined {
  const [, path] = /^unix:(.+)$/.exec(text) ?? [];
  return path === undefined ? parseHostPort(text) : { path };
}

/** `{ "secretFile": "moves.secret", "listen": "unix:/run/berth/moves.sock" }`. */
export const movesSchema: z.ZodType<MovesSetting, unknown> = z.strictObject({
  secretFile: z.string().min(1),
  listen: z.string().transform((text, c): MoveAddress => {
    const place = parseMoveAddress(text);
    if (place !== undefined) return place;
    c.addIssue(`${EXPECTED}, got ${text}`);
    return z.NEVER;
  }).optional(),
});

/** The setting with paths relative to its origin's folder. */
export function locateMoves(
  { secretFile, listen }: MovesSetting,
  { folder }: Origin,
): MovesSetting {
  const place = listen !== undefined && "path" in listen
    ? { path: pathFrom(folder, listen.path) }
    : listen;
  return { secretFile: resolve(folder, secretFile), listen: place };
}
