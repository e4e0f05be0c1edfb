import { once } from "node:events";
import { rmSync } from "node:fs";
import type { TLSSocket } from "node:tls";
import { describe, expect } from "bun:test";
import { tls } from "../../../../adapters/plugins/tls.ts";
import { RenewedCertificates } from "../../../../adapters/plugins/tls/renewed_certificates.ts";
import { systemClock } from "../../../../core/api/environment.ts";
import type { Handler } from "../../../../core/api/types.ts";
import { echo } from "../../../../plugins/echo.ts";
import { makeCertificate } from "../../../support/certificates.ts";
import { testRequiring } from "../../../support/requirements.ts";
import { TemporaryFolder } from "../../../support/temporary_folder.ts";
import { serveBehindHost } from "./support.ts";

const needs = ["program:openssl"] as const;
const commonName = (client: TLSSocket) => client.getPeerCertificate().subject.CN;

/** Creates files with a certificate and its key. */
function certificateFiles(folder: TemporaryFolder, name: string) {
  const { cert, key } = makeCertificate([name]);
  return { cert: folder.write("cert.pem", cert), key: folder.write("key.pem", key) };
}

/** A logger that collects its lines. */
function recorded() {
  const lines: string[] = [];
  const at = (level: string) => (message: string, fields?: Readonly<Record<string, unknown>>) =>
    void lines.push(`${level} ${message} ${fields?.["reason"] ?? ""}`.trim());
  return {
    lines,
    log: { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") },
  };
}

describe("tls with renewed certificates", () => {
  // Existing connections continue; later ones get the new certificate.
  testRequiring(needs, "reloads changed files", async () => {
    using folder = new TemporaryFolder();
    const secure = tls({ certificates: [certificateFiles(folder, "old.test")] });
    let later = 0;
    const clock = { ...systemClock, now: () => systemClock.now() + later };
    const inTime: Handler = (c, next) => {
      const { socket, stack, log, signal } = c;
      const values = { get: c.get.bind(c), set: c.set.bind(c) };
      return secure.handle!({ socket, stack, log, signal, clock, ...values }, next);
    };
    await using server = await serveBehindHost(inTime, echo());
    const before = await server.connect();
    expect(commonName(before)).toBe("old.test");

    certificateFiles(folder, "new.test");
    later = 1000;
    const after = await server.connect();
    expect(commonName(after)).toBe("new.test");
    expect(server.lines).toEqual(["info tls: new certificates are in use "]);
    for (const client of [before, after]) {
      client.write("ahoy");
      expect(String((await once(client, "data"))[0])).toBe("ahoy");
    }
  });
});

describe("RenewedCertificates", () => {
  // A certificate whose key has not been replaced yet, an invalid one, and a missing one: one line
  // per change.
  testRequiring(needs, "keeps the old certificates while the new ones are unusable", () => {
    using folder = new TemporaryFolder();
    const files = certificateFiles(folder, "old.test");
    const { lines, log } = recorded();
    const renewed = new RenewedCertificates({
      certificates: [files],
      ca: undefined,
      load: (material) => material,
    });
    const old = renewed.current(0, log);
    const { cert, key } = makeCertificate(["new.test"]);
    folder.write("cert.pem", cert);
    expect(renewed.current(999, log)).toBe(old);
    expect(lines).toEqual([]);
    expect(renewed.current(1000, log)).toBe(old);
    expect(renewed.current(2000, log)).toBe(old);
    folder.write("cert.pem", "not a certificate");
    expect(renewed.current(3000, log)).toBe(old);
    rmSync(files.cert);
    expect(renewed.current(4000, log)).toBe(old);
    const kept =
      "warn tls: the changed certificates cannot be used; the previous ones stay in use tls:";
    expect(lines.length).toBe(3);
    for (const line of lines) expect(line.startsWith(kept)).toBe(true);
    expect(lines[2]).toContain("cannot be read: ENOENT");

    folder.write("cert.pem", cert);
    folder.write("key.pem", key);
    const renewedOnes = renewed.current(5000, log);
    expect(renewedOnes).not.toBe(old);
    expect(renewed.current(6000, log)).toBe(renewedOnes);
    expect(lines.slice(3)).toEqual(["info tls: new certificates are in use"]);
  });

  // The client CA is reloaded too; certificates given as text never change.
  testRequiring(needs, "reloads the file of the client CA", () => {
    using folder = new TemporaryFolder();
    const { lines, log } = recorded();
    const ca = folder.write("ca.pem", makeCertificate(["one.test"]).cert);
    const own = makeCertificate(["server.test"]);
    const renewed = new RenewedCertificates({
      certificates: [own],
      ca,
      load: (material) => material,
    });
    const old = renewed.current(0, log);
    expect(renewed.current(1000, log)).toBe(old);
    folder.write("ca.pem", makeCertificate(["two.test"]).cert);
    expect(renewed.current(2000, log)).not.toBe(old);
    expect(lines).toEqual(["info tls: new certificates are in use"]);
  });
});
