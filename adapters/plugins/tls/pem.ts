/**
 * Texts in PEM form, from files or as they are (RFC 7468).
 *
 * @module
 */
import { readFileSync, statSync } from "node:fs";

/** Whether it is the text itself and no path. */
export function isPem(source: string): boolean {
  return source.includes("-----BEGIN ");
}

/** PEM text is not shown: it may be a key. */
export function nameOf(source: string): string {
  return isPem(source) ? "that was given as text" : source;
}

/**
 * The text of a file; what is PEM already stays as it is.
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

/** The certificates of a text, which may have other blocks, such as a key; without any, the text. */
export function certificatesOf(text: string): string {
  return blocksOf(text, /^-----BEGIN (X509 |TRUSTED )?CERTIFICATE-----/);
}

/** The private keys of a text, which may have other blocks; without any, the text. */
export function keysOf(text: string): string {
  return blocksOf(text, /^-----BEGIN ([A-Z0-9]+ )*PRIVATE KEY-----/);
}

/** Deno takes a text's first block for what it looks for, Bun finds it. */
function blocksOf(text: string, beginning: RegExp): string {
  const blocks = text.match(/-----BEGIN ([A-Z0-9 ]+)-----[^]*?-----END \1-----/g) ?? [];
  const found = blocks.filter((block) => beginning.test(block));
  return found.length > 0 ? `${found.join("\n")}\n` : text;
}

/** Differs when one of the files has changed or been replaced; PEM texts never do. */
export function versionOf(sources: readonly string[]): string {
  return sources.filter((source) => !isPem(source)).map((path) => {
    const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
    return stat === undefined ? "none" : `${stat.ino} ${stat.size} ${stat.mtimeNs}`;
  }).join("\n");
}
