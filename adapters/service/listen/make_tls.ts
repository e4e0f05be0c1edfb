/**
 * The `tls` middleware.
 *
 * @module
 */
import { resolve } from "node:path";
import { tls } from "../../plugins/tls.ts";
import { isPem } from "../../plugins/tls/pem.ts";
import { UsageError } from "../errors.ts";
import { type Make, make } from "./make_plugin.ts";

/** `tls:CERT,KEY`, or `tls` with options; paths are relative to the setting's folder. */
export const makeTls: Make = (argument, options, { folder, source }) => {
  const [cert, key, ...more] = argument?.split(",") ?? [];
  if (argument !== undefined && (!cert || !key || more.length > 0)) {
    throw new UsageError(
      `${source}: tls needs a certificate and its key, such as tls:cert.pem,key.pem`,
    );
  }
  const given = cert === undefined ? options : { certificates: [{ cert, key }], ...options };
  return make(tls, locate(given, folder), source);
};

const FILES = new Set(["cert", "key", "ca"]);

/** The options with absolute paths; the factory checks everything else. */
function locate<T>(value: T, folder: string, key = ""): T {
  if (typeof value === "string") {
    return FILES.has(key) && !isPem(value) ? resolve(folder, value) as T : value;
  }
  if (Array.isArray(value)) return value.map((each) => locate(each, folder, key)) as T;
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([name, each]) => [name, locate(each, folder, name)]);
  return Object.fromEntries(entries) as T;
}
