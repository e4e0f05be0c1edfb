/**
 * Responses to requests for files.
 *
 * @module
 */
import { evaluate, rangeApplies } from "./conditions.ts";
import { FileSource } from "./file.ts";
import type { Folder, FoundFile } from "./folder.ts";
import { isPrepared, type Prepared } from "../../../plugins/shared/http/prepared_response.ts";
import { parseRange } from "../../../plugins/shared/http/byte_range.ts";

/**
 * Answers `request` from `folder`; `respondWith` makes a response that has content.
 *
 * @throws The kernel's error, if the file may exist nevertheless, such as EMFILE.
 */
export function respond(
  request: Request,
  folder: Folder,
  respondWith: (prepared: Prepared) => Response,
): Response {
  const { method, url, headers } = request;
  if (method !== "GET" && method !== "HEAD") {
    return new Response(null, { status: 405, headers: { Allow: "GET, HEAD" } });
  }
  const [pathname, search] = pathOf(url);
  const found = folder.find(pathname, headers);
  if (found === undefined) return new Response("Not Found", { status: 404 });
  if ("folder" in found) {
    // Without the slash, relative links in the index would miss the folder. Location is relative (RFC
    // 9110 10.2.2), because an outer app that mounts this one may have stripped a prefix of the path.
    const location = `${encodeURIComponent(found.folder)}/${search}`;
    return new Response(null, { status: 308, headers: { Location: location } });
  }
  let isTransferred = false;
  try {
    const prepared = prepare(found, method, headers);
    isTransferred = isPrepared(prepared);
    return isPrepared(prepared) ? respondWith(prepared) : prepared;
  } finally {
    if (!isTransferred && found.content instanceof FileSource) found.content.close();
  }
}

/** The path and the query of the URL of a Request, which Fetch has normalized. */
function pathOf(url: string): [pathname: string, search: string] {
  const start = url.indexOf("/", url.indexOf("//") + 2);
  const end = url.indexOf("#", start);
  const whole = end < 0 ? url.slice(start) : url.slice(start, end);
  const query = whole.indexOf("?");
  return query < 0 ? [whole, ""] : [whole.slice(0, query), whole.slice(query)];
}

/** A response without content does not need the file. */
function prepare(file: FoundFile, method: string, headers: Headers): Prepared | Response {
  const status = evaluate(headers, file);
  if (status !== 200) return withoutContent(status, file.validators);
  if (method === "HEAD") return withoutContent(200, file.fields);
  const field = headers.get("range");
  const range = field !== null && rangeApplies(headers, file)
    ? parseRange(field, file.size)
    : undefined;
  const { content } = file;
  if (range === undefined) return { status: 200, fields: file.fields, content };
  if (range === "unsatisfiable") {
    return withoutContent(416, [...file.validators, "content-range", `bytes */${file.size}`]);
  }
  const { start, end } = range;
  const fields = [...file.fields, "content-range", `bytes ${start}-${end - 1}/${file.size}`];
  fields[fields.indexOf("content-length") + 1] = `${end - start}`;
  if (content instanceof FileSource) content.limit(range);
  const part = content instanceof FileSource ? content : content.subarray(start, end);
  return { status: 206, fields, content: part };
}

function withoutContent(status: number, fields: readonly string[]): Response {
  const headers = new Headers();
  for (let at = 0; at < fields.length; at += 2) headers.append(fields[at]!, fields[at + 1]!);
  return new Response(null, { status, headers });
}
