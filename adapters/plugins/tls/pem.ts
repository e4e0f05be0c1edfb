/**
 * PEM text (RFC 7468), given directly or as a file name.
 *
 * @module
 */
import { readFileSync, statSync } from "node:fs";

/** Whether `source` is PEM text rather than a path. */
export function isPem(source: string): boolean {
  return source.includes("-----BEGIN ");
}

/** The name of `source` in messages. PEM text is never shown, because it may be a key. */
export function nameOf(source: string): string {
  return isPem(source) ? "given as text" : source;
}

/**
 * Reads the file, unless `source` is PEM text already.
 *
 * @throws {TypeError} The file cannot be read.
 */
export function readPem(source: string, what: string): string {
  if (isPem(source)) return source;
  try {
    return readFileSync(source, "utf8");
  } catch (error) {
    const reason = (error as { code?: string }).code ?? String(error);
    throw new TypeError(`tls: the ${what} ${source} cannot be read: ${reason}`);
  }
}

/** The certificates in `text`, without other blocks such as keys; all of `text` if there are none. */
export function certificatesOf(text: string): string {
  return blocksOf(text, /^-----BEGIN (X509 |TRUSTED )?CERTIFICATE-----/);
}

/** The private keys in `text`, without other blocks; all of `text` if there are none. */
export function keysOf(text: string): string {
  return blocksOf(text, /^-----BEGIN ([A-Z0-9]+ )*PRIVATE KEY-----/);
}

/** The blocks of one kind. Deno reads only the first block of a text, whereas Bun searches for the right one. */
function blocksOf(text: string, beginning: RegExp): string {
  const blocks = text.match(/-----BEGIN ([A-Z0-9 ]+)-----[^]*?-----END \1-----/g) ?? [];
  const found = blocks.filter((block) => beginning.test(block));
  return found.length > 0 ? `${found.join("\n")}\n` : text;
}

/** A string that changes when one of the files is changed or replaced; PEM text never changes. */
export function versionOf(sources: readonly string[]): string {
  return sources.filter((source) => !isPem(source)).map((path) => {
    const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
    return stat === undefined ? "none" : `${stat.ino} ${stat.size} ${stat.mtimeNs}`;
  }).join("\n");
}
