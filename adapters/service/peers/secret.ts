/**
 * The secret that all instances of a service share.
 *
 * @module
 */
import { hkdfSync } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import type { Logger } from "../../../core/api/environment.ts";
import { SIPHASH_KEY_LENGTH } from "../../../core/wire/siphash.ts";
import { messageLine, UsageError } from "../errors.ts";

/** Minimum length of the secret in bytes. */
const MIN_LENGTH = 32;
const OTHERS_MAY_READ = 0o077;

/** Keys for two purposes; neither can be derived from the other. */
export interface PeerKeys {
  /** The key of sequence numbers, timestamps and SYN cookies. */
  readonly connectionKey: Uint8Array;
  /** The key of messages. */
  readonly messageKey: Uint8Array;
}

/**
 * Reads the secret and derives the keys (RFC 5869). White space around it is ignored.
 *
 * @throws {UsageError} There is no such file, or the secret is too short.
 */
export function readPeerKeys(file: string, log: Logger): PeerKeys {
  const secret = readSecret(file, "peers.secretFile", log);
  const derive = (purpose: string) =>
    new Uint8Array(hkdfSync("sha256", secret, "", `berth peers ${purpose}`, SIPHASH_KEY_LENGTH));
  return { connectionKey: derive("connections"), messageKey: derive("messages") };
}

/**
 * Reads a secret. White space around it is ignored. `key` is the setting with the file's path.
 *
 * @throws {UsageError} There is no such file, or the secret is too short.
 */
export function readSecret(file: string, key: string, log: Logger): string {
  const advice = `write ${MIN_LENGTH} or more random characters to it, the same on every ` +
    "instance: head -c 32 /dev/urandom | base64";
  let secret: string;
  try {
    secret = readFileSync(file, "latin1").trim();
  } catch (error) {
    throw new UsageError(`${key}: cannot read ${file}: ${messageLine(error)}; ${advice}`);
  }
  if ((statSync(file).mode & OTHERS_MAY_READ) !== 0) {
    log.warn("other users may read the secret", { file, hint: `chmod 600 ${file}` });
  }
  if (secret.length >= MIN_LENGTH) return secret;
  throw new UsageError(
    `${key}: the secret in ${file} has ${secret.length} characters; ${advice}`,
  );
}
