/**
 * Reloads certificates that are renewed while the server runs.
 *
 * @module
 */
import type { Logger } from "../../../core/api/environment.ts";
import { messageOf } from "../../../core/api/error_text.ts";
import { type CertificateMaterial, CertificateStore, type TlsCertificate } from "./certificates.ts";
import { certificatesOf, readPem, versionOf } from "./pem.ts";

/** Minimum interval between two checks of the files, in milliseconds. */
const LOOK_INTERVAL_MS = 1000;

/** Where certificates are read from, and how they are prepared. */
export interface CertificateSources<C> {
  readonly certificates: readonly TlsCertificate[];
  /** The file of the CA for client certificates, or its PEM text. */
  readonly ca: string | undefined;
  /** Prepares a certificate for use; `ca` is the PEM text of the CA for client certificates. */
  readonly load: (material: CertificateMaterial, ca: string | undefined) => C;
}

/**
 * Reads the files, and again at a handshake if they have changed since. If the new files cannot be
 * used, the previous certificates stay in use until the files change once more: a renewal may write
 * the certificate before its key.
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

  /** The current certificates. `now` is in milliseconds of the stack's clock. */
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
      log.warn("tls: the changed certificates cannot be used; the previous ones stay in use", {
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
