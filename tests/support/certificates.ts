/**
 * Certificates for tests, created by openssl on demand and not stored.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A certificate and its key as PEM text. */
export interface TestCertificate {
  cert: string;
  key: string;
}

/** Creates a certificate for `names`, self-signed unless `issuer` is given. */
export function makeCertificate(
  names: readonly [string, ...string[]],
  issuer?: TestCertificate,
): TestCertificate {
  return inFolder((folder) => {
    const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
    const alternatives = names.map((name) => /^[\d.]+$/.test(name) ? `IP:${name}` : `DNS:${name}`);
    const by = issuer
      ? [...writeIssuer(folder, issuer), "-addext", "basicConstraints=critical,CA:FALSE"]
      : [];
    execFileSync("openssl", [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
      ...["-days", "2", "-subj", `/CN=${names[0]}`, "-keyout", key, "-out", cert, ...by],
      ...["-addext", `subjectAltName=${alternatives.join(",")}`],
    ], { stdio: "pipe" });
    return { cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") };
  });
}

function writeIssuer(folder: string, { cert, key }: TestCertificate): string[] {
  const [certPath, keyPath] = [join(folder, "ca.pem"), join(folder, "ca-key.pem")];
  writeFileSync(certPath, cert);
  writeFileSync(keyPath, key, { mode: 0o600 });
  return ["-CA", certPath, "-CAkey", keyPath];
}

function inFolder<T>(body: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), "berth-certificates-"));
  try {
    return body(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
