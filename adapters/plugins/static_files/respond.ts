/**
 * Responses to requests for files.
 *
 * @module
 */
import { closeSync } from "node:fs";
import { evaluate, rangeApplies } from "./conditions.ts";
import { streamFile } from "./file.ts";
import type { Folder, FoundFile } from "./folder.ts";
import { type ByteRange, parseRange } from "../../../plugins/shared/http/byte_range.ts";

/**
 * Answers `request` from `folder`.
 *
 * @throws The kernel's error, if the file may exist nevertheless, such as EMFILE.
 */
export function respond(request: Request, folder: Folder): Response {
  const { method, url, headers } = request;
  if (method !== "GET" && method !== "HEAD") {
    return new Response(null, { status: 405, headers: { Allow: "GET, HEAD" } });
  }
  const [pathname, search] = pathOf(url);
  const found = folder.find(pathname, headers.get("accept-encoding"));
  if (found === undefined) return new Response("Not Found", { status: 404 });
  if ("folder" in found) {
    // Without the slash, relative links in the index would miss the folder. Location is relative (RFC
    // 9110 10.2.2), because an outer app that mounts this one may have stripped a prefix of the path.
    const location = `${encodeURIComponent(found.folder)}/${search}`;
    return new Response(null, { status: 308, headers: { Location: location } });
  }
  try {
    const response = respondWith(found, method, headers);
    // Only for an open file: reading `body` of a response made of bytes would create a stream.
    if ("descriptor" in found.content && response.body === null) close(found);
    return response;
  } catch (error) {
    close(found);
    throw error;
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

function close({ content }: FoundFile): void {
  if ("descriptor" in content) closeSync(content.descriptor);
}

function respondWith(file: FoundFile, method: string, headers: Headers): Response {
  const status = evaluate(headers, file);
  if (status !== 200) return new Response(null, { status, headers: [...file.validators] });
  const asked = method === "GET" && rangeApplies(headers, file)
    ? parseRange(headers.get("range"), file.size)
    : undefined;
  if (asked === undefined) {
    const body = method === "HEAD" ? null : bodyOf(file, { start: 0, end: file.size });
    return new Response(body, { headers: file.fields as [string, string][] });
  }
  if (asked === "unsatisfiable") {
    const fields: [string, string][] = [
      ...file.validators,
      ["Content-Range", `bytes */${file.size}`],
    ];
    return new Response(null, { status: 416, headers: fields });
  }
  const { start, end } = asked;
  const fields = file.fields.filter(([name]) => name !== "Content-Length");
  fields.push(["Content-Length", `${end - start}`]);
  fields.push(["Content-Range", `bytes ${start}-${end - 1}/${file.size}`]);
  return new Response(bodyOf(file, asked), { status: 206, headers: fields });
}

function bodyOf({ content }: FoundFile, range: ByteRange): BodyInit {
  if ("descriptor" in content) return streamFile(content, range);
  const { start, end } = range;
  return start === 0 && end === content.length ? content : content.subarray(start, end);
}
