import { describe, expect } from "bun:test";
import { makeCertificate } from "../support/certificates.ts";
import { testRequiring } from "../support/requirements.ts";
import { TlsEpisode } from "./tls_episode.ts";

describe("TLS that receives flights changed in transit", () => {
  // Handshakes and records with bytes changed, dropped, doubled, with records inserted and
  // truncated, in reads of any size. The next plugin reads nothing that the client has not written,
  // nothing is logged as an error, each handler ends with its connection, and every twentieth
  // client, which is not disturbed, is served.
  testRequiring(
    ["program:openssl", "libssl"],
    "passes on what the client wrote, or nothing, by openssl",
    () => fuzz("openssl", 1000),
    60_000,
  );

  // The engine of the runtime is behind a pair of sockets.
  testRequiring(
    ["program:openssl", "libssl"],
    "passes on what the client wrote, or nothing, by runtime",
    () => fuzz("runtime", 150),
    60_000,
  );
});

async function fuzz(engine: "openssl" | "runtime", inputs: number): Promise<void> {
  const episode = new TlsEpisode(1, makeCertificate(["localhost"]), engine);
  await episode.run(inputs);
  // Ensures that enough of them are changed.
  expect(episode.changed).toBeGreaterThan(inputs / 10);
  expect(episode.secured).toBeGreaterThan(inputs / 50);
  // The wording of an engine depends on how the records arrive.
  expect(episode.faults.size).toBeGreaterThan(2);
}
