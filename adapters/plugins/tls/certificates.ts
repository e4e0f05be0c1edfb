/**
 * Certificates, selected by server name.
 *
 * @module
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { messageOf } from "../../../core/api/error_text.ts";
import { certificatesOf, keysOf, nameOf, readPem } from "./pem.ts";

/** A certificate with its key. */
export interface TlsCertificate {
  /** The file of the certificate chain, the server's certificate first, or its PEM text. */
  cert: string;
  /** The file of the private key, or its PEM text. */
  key: string;
  /** The passphrase of an encrypted key. */
  passphrase?: string | undefined;
}

/** A certificate chain and its key, both as PEM text, the key decrypted. */
export interface CertificateMaterial {
  readonly certificate: string;
  readonly key: string;
}

interface Entry<C> {
  readonly names: readonly string[];
  readonly context: C;
}

/** The certificates of a server, each prepared by the engine. */
export class CertificateStore<C> {
  readonly #entries: readonly Entry<C>[];

  /**
   * Reads the files. Clients that send no server name, or an unknown one, get the first certificate.
   *
   * @throws {TypeError} A file cannot be read, a key does not belong to its certificate, or `prepare`
   * throws.
   */
  constructor(
    certificates: readonly TlsCertificate[],
    prepare: (material: CertificateMaterial) => C,
  ) {
    this.#entries = certificates.map((each) => load(each, prepare));
  }

  /** The certificate for clients that send no server name. */
  get default(): C {
    return this.#entries[0]!.context;
  }

  /** The first certificate for `name` (RFC 6066 3, RFC 9525 6.3), or the default. */
  find(name: string): C {
    const wanted = name.toLowerCase();
    const found = this.#entries.find(({ names }) => names.some((each) => isFor(each, wanted)));
    return found?.context ?? this.default;
  }
}

/**
 * The DNS names of a certificate in lower case, or its common name if it has none.
 * `X509Certificate.checkHost()` does not support wildcards on Deno 2.9, and throws for some names on
 * Bun.
 */
function namesOf({ subjectAltName = "", subject }: X509Certificate): string[] {
  const alternatives = subjectAltName.split(", ").map((each) => /^DNS:([\w*.-]+)$/.exec(each)?.[1]);
  const names = alternatives.filter((name) => name !== undefined);
  if (names.length === 0) names.push(/^CN=([\w*.-]+)$/m.exec(subject)?.[1] ?? "");
  return names.map((name) => name.toLowerCase());
}

/** RFC 9525 6.3: a wildcard stands for one label. */
function isFor(pattern: string, name: string): boolean {
  if (!pattern.startsWith("*.")) return pattern === name && name !== "";
  return name.replace(/^[\w-]+/, "*") === pattern;
}

function load<C>(
  { cert, key, passphrase }: TlsCertificate,
  prepare: (material: CertificateMaterial) => C,
): Entry<C> {
  const certificateText = certificatesOf(readPem(cert, "certificate"));
  const keyText = keysOf(readPem(key, "private key"));
  const certificate = parse(() => new X509Certificate(certificateText), cert, "certificate");
  const opened = passphrase === undefined ? { key: keyText } : { key: keyText, passphrase };
  const privateKey = parse(() => createPrivateKey(opened), key, "private key");
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new TypeError(
      `tls: the key ${nameOf(key)} does not belong to the certificate ${nameOf(cert)}`,
    );
  }
  const unlocked = privateKey.export({ type: "pkcs8", format: "pem" }) as string;
  try {
    const context = prepare({ certificate: certificateText, key: unlocked });
    return { names: namesOf(certificate), context };
  } catch (error) {
    const reason = messageOf(error);
    throw new TypeError(`tls: the certificate ${nameOf(cert)} cannot be used: ${reason}`);
  }
}

function parse<T>(read: () => T, source: string, what: string): T {
  try {
    return read();
  } catch (error) {
    const reason = messageOf(error);
    throw new TypeError(`tls: the ${what} ${nameOf(source)} is not valid PEM: ${reason}`);
  }
}
