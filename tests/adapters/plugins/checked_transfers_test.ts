import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { describe, expect } from "bun:test";
import { staticFiles } from "../../../adapters/plugins/static_files.ts";
import { tls } from "../../../adapters/plugins/tls.ts";
import { type FetchApp, http } from "../../../plugins/http.ts";
import { PATTERN, PatternCheck } from "../../bench/programs/bulk_pattern.ts";
import { makeCertificate } from "../../support/certificates.ts";
import { type Requirement, testRequiring } from "../../support/requirements.ts";
import { TemporaryFolder } from "../../support/temporary_folder.ts";
import { serveBehindHost, type Server } from "./tls/support.ts";

const SIZE = 24 * PATTERN.length;
const CERTIFICATES = [makeCertificate(["localhost"])];

/** The pattern as a stream, in chunks of sizes that match no buffer. */
function streamApp(): FetchApp {
  return {
    fetch() {
      let at = 0;
      const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
        pull(controller) {
          const from = at % PATTERN.length;
          const chunk = PATTERN.slice(from, Math.min(PATTERN.length, from + 33_333));
          controller.enqueue(chunk);
          at += chunk.length;
          if (at === SIZE) controller.close();
        },
      });
      return new Response(body);
    },
  };
}

/** The content of the answer to `head`; `skipped`: number of bytes of the pattern before it. */
async function download(
  server: Server,
  isSecure: boolean,
  { fields = "", skipped = 0 } = {},
): Promise<{ head: string; bytes: number; mismatches: number }> {
  const socket = isSecure ? await server.connect() : await server.connectPlain();
  const check = new PatternCheck();
  check.bytes = skipped;
  let head = "";
  socket.on("data", (chunk: Uint8Array) => {
    let at = 0;
    while (!head.endsWith("\r\n\r\n")) head += String.fromCharCode(chunk[at++]!);
    check.take(chunk.subarray(at));
  });
  socket.write(`GET /large.bin HTTP/1.0\r\nHost: a\r\n${fields}\r\n`);
  await once(socket, "end");
  return { head, bytes: check.bytes - skipped, mismatches: check.mismatches };
}

/** Every byte of a large response is compared with what was sent. */
function suite(name: string, needs: readonly Requirement[], engine?: "openssl" | "runtime"): void {
  const serve = (app: FetchApp) =>
    engine === undefined
      ? serveBehindHost(http(app))
      : serveBehindHost(tls({ certificates: CERTIFICATES, engine }), http(app));
  const isSecure = engine !== undefined;

  describe(`large responses ${name}`, () => {
    testRequiring(needs, "carry every byte of a stream", async () => {
      await using server = await serve(streamApp());
      expect(await download(server, isSecure)).toMatchObject({ bytes: SIZE, mismatches: 0 });
    }, 60_000);

    // The whole file, and a range of it that begins and ends in the middle of a piece.
    testRequiring(needs, "carry every byte of a file", async () => {
      using folder = new TemporaryFolder();
      const content = new Uint8Array(SIZE);
      for (let at = 0; at < SIZE; at += PATTERN.length) content.set(PATTERN, at);
      writeFileSync(folder.file("large.bin"), content);
      await using server = await serve(staticFiles(folder.path));
      expect(await download(server, isSecure)).toMatchObject({ bytes: SIZE, mismatches: 0 });
      const [start, end] = [1_234_567, 5_432_109];
      const fields = `Range: bytes=${start}-${end}\r\n`;
      const part = await download(server, isSecure, { fields, skipped: start });
      expect(part).toMatchObject({ bytes: end - start + 1, mismatches: 0 });
      expect(part.head).toContain(`content-range: bytes ${start}-${end}/${SIZE}\r\n`);
    }, 60_000);
  });
}

suite("without TLS", []);
suite("over TLS by openssl", ["program:openssl", "libssl"], "openssl");
suite("over TLS by the runtime", ["program:openssl"], "runtime");
