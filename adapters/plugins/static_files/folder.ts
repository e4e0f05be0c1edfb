/**
 * Maps the path of a URL to a file of a folder.
 *
 * @module
 */
import { closeSync } from "node:fs";
import { join } from "node:path";
import { getMimeType } from "hono/utils/mime";
import { FileVersion } from "../../host/file_version.ts";
import type { Validators } from "./conditions.ts";
import { acceptedCodings, type Coding } from "./content_coding.ts";
import { FileSource, namesOf, type OpenFile, openFile, readFile } from "./file.ts";
import { FileCache } from "./file_cache.ts";

/** Larger files are not kept in memory. */
const MAX_CACHED_BYTES = 256 * 1024;

/** Settings of a {@link Folder}. */
export interface FolderSettings {
  readonly hidden: boolean;
  readonly index: string;
  readonly precompressed: boolean;
  readonly cacheBytes: number;
  readonly maxAgeSeconds: number;
}

/** A file ready to be sent. */
export interface FoundFile extends Validators {
  /** Size in bytes. */
  readonly size: number;
  /**
   * Header fields of every response for the file, 304 included: alternating names in lower case and
   * values.
   */
  readonly validators: readonly string[];
  /** Header fields of a complete (200) response, Content-Length included. */
  readonly fields: readonly string[];
  /** The content, or the open file, which the caller has to close. */
  readonly content: Uint8Array<ArrayBuffer> | FileSource;
}

/** The result of a look-up: a file, a folder whose URL lacks the final slash, or nothing. */
export type Found = FoundFile | { readonly folder: string } | undefined;

/** A folder of static files. */
export class Folder {
  readonly #root: string;
  readonly #settings: FolderSettings;
  readonly #cache: FileCache<FoundFile>;

  constructor(root: string, settings: FolderSettings) {
    this.#root = root;
    this.#settings = settings;
    this.#cache = new FileCache(settings.cacheBytes);
  }

  /**
   * Looks up `pathname`, the path of a URL, and selects the best content coding that the Accept-Encoding of the
   * request allows.
   *
   * @throws The kernel's error, if the file may exist nevertheless, such as EMFILE.
   */
  find(pathname: string, headers: Headers): Found {
    if (!this.#settings.precompressed) {
      return this.#cache.find(pathname) ?? this.#look(pathname, [], pathname);
    }
    const codings = acceptedCodings(headers.get("accept-encoding"));
    const key = codings.reduce((text, { extension }) => `${text} ${extension}`, pathname);
    return this.#cache.find(key) ?? this.#look(pathname, codings, key);
  }

  #look(pathname: string, codings: readonly Coding[], key: string): Found {
    const names = namesOf(pathname, this.#settings.hidden);
    if (names === undefined) return undefined;
    const wantsFolder = pathname.endsWith("/");
    const path = wantsFolder ? [...names, this.#settings.index] : names;
    const versions: FileVersion[] = [];
    const plain = this.#open(path, versions);
    if (plain === "folder" && !wantsFolder) return { folder: names.at(-1)! };
    if (plain === undefined || plain === "folder") return undefined;
    const [file, coding] = this.#inBestCoding(plain, path, codings, versions);
    const head = headOf(file, path.at(-1)!, coding, this.#settings);
    if (file.size > Math.min(MAX_CACHED_BYTES, this.#settings.cacheBytes)) {
      return { ...head, content: new FileSource(file) };
    }
    const found = { ...head, content: readFile(file) };
    this.#cache.keep(key, { value: found, size: file.size, versions }, file.changedMs);
    return found;
  }

  /** Selects the coding, and closes the files that are not sent. */
  #inBestCoding(
    plain: OpenFile,
    path: readonly string[],
    codings: readonly Coding[],
    versions: FileVersion[],
  ): [OpenFile, Coding | undefined] {
    for (const coding of codings) {
      const neighbour = [...path.slice(0, -1), path.at(-1)! + coding.extension];
      const file = this.#open(neighbour, versions);
      if (file === undefined || file === "folder") continue;
      closeSync(plain.descriptor);
      return [file, coding];
    }
    return [plain, undefined];
  }

  #open(path: readonly string[], versions: FileVersion[]): OpenFile | "folder" | undefined {
    versions.push(new FileVersion(join(this.#root, ...path)));
    return openFile(this.#root, path);
  }
}

function headOf(
  file: OpenFile,
  name: string,
  coding: Coding | undefined,
  { maxAgeSeconds, precompressed }: FolderSettings,
): Omit<FoundFile, "content"> {
  const etag = coding ? `${file.etag.slice(0, -1)}-${coding.name}"` : file.etag;
  const validators = [
    ...["accept-ranges", "bytes"],
    ...["cache-control", maxAgeSeconds > 0 ? `public, max-age=${maxAgeSeconds}` : "no-cache"],
    ...["etag", etag],
    ...["last-modified", new Date(file.modified * 1000).toUTCString()],
  ];
  if (precompressed) validators.push("vary", "Accept-Encoding");
  const fields = [
    ...validators,
    ...["content-type", getMimeType(name) ?? "application/octet-stream"],
    ...["x-content-type-options", "nosniff"],
    ...["content-length", `${file.size}`],
  ];
  if (coding) fields.push("content-encoding", coding.name);
  return { size: file.size, modified: file.modified, etag, validators, fields };
}
