/**
 * Certificates that are renewed while they are in use.
 *
 * @module
 */
import type { Logger } from "../../../core/api/environment.ts";
import { messageOf } from "../../../core/api/error_text.ts";
import { type CertificateMaterial, CertificateStore, type TlsCertificate } from "./certificates.ts";
import { certificatesOf, readPem, versionOf } from "./pem.ts";

/** The files are looked at once in so many milliseconds, at most. */
const LOOK_INTERVAL_MS = 1000;

/** Where certificates are read from, and how they are prepared. */
export interface CertificateSources<C> {
  readonly certificates: readonly TlsCertificate[];
  /** The file of the clients' CA, or its PEM text. */
  readonly ca: string | undefined;
  /** Prepares a certificate for use; `ca` has the text of the clients' CA. */
  readonly load: (material: CertificateMaterial, ca: string | undefined) => C;
}

/**
 * Reads the files, and reads them again when a handshake finds that they have changed. Files that
 * cannot be used leave everything as it was, until they change once more: a certificate may be there
 * before its key is.
 */
export class RenewedCertificates<C> {
  readonly #sources: CertificateSources<C>;
  readonly #files: readonly string[];
  #store: CertificateStore<C>;
  #version: string;
  #lookAt = -Infinity;

  /** @throws {TypeError} A file cannot be read or used. */
  constructor(sources: CertificateSources<C>) {
    this.#sources = sources;
    const { certificates, ca } = sources;
    this.#files = [...certificates.flatMap(({ cert, key }) => [cert, key]), ...ca ? [ca] : []];
    this.#version = versionOf(this.#files);
    this.#store = read(sources);
  }

  /** Those to use `now`, in milliseconds of the stack's clock. */
  current(now: number, log: Logger): CertificateStore<C> {
    if (now < this.#lookAt) return this.#store;
    this.#lookAt = now + LOOK_INTERVAL_MS;
    const version = versionOf(this.#files);
    if (version === this.#version) return this.#store;
    this.#version = version;
    try {
      this.#store = read(this.#sources);
      log.info("tls: new certificates are in use");
    } catch (error) {
      log.warn("tls: the certificates have changed and cannot be used, the old ones are", {
        reason: messageOf(error),
      });
    }
    return this.#store;
  }
}

function read<C>({ certificates, ca, load }: CertificateSources<C>): CertificateStore<C> {
  const authorities = ca === undefined ? undefined : certificatesOf(readPem(ca, "client CA"));
  return new CertificateStore(certificates, (material) => load(material, authorities));
}
