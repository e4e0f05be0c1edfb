/**
 * The runtime's own TLS, for hosts where OpenSSL cannot be called.
 *
 * @module
 */
import { createSecureContext, type SecureContext, type TLSSocketOptions } from "node:tls";
import type { Context } from "../../../../core/api/types.ts";
import { runtimeName } from "../../../runtime/runtime.ts";
import type { CertificateMaterial, CertificateStore } from "../certificates.ts";
import type { ServerSettings, TlsEngine, TlsSession } from "../engine.ts";
import { RuntimeSession } from "./session.ts";

/** TLS by `node:tls`. */
export class RuntimeEngine implements TlsEngine<SecureContext> {
  readonly #settings: ServerSettings;

  constructor(settings: ServerSettings) {
    this.#settings = settings;
  }

  load({ certificate, key }: CertificateMaterial, ca: string | undefined): SecureContext {
    const { minVersion, ciphers } = this.#settings;
    // Deno rejects the option `ciphers`, and supports no cipher suite that HTTP/2 prohibits.
    const hasOption = ciphers !== undefined && runtimeName() === "bun";
    const optional = { ...(ca ? { ca } : {}), ...(hasOption ? { ciphers } : {}) };
    return createSecureContext({ ...optional, minVersion, cert: certificate, key });
  }

  open(c: Context, store: CertificateStore<SecureContext>): Promise<TlsSession> {
    const { alpn, clients } = this.#settings;
    const options: TLSSocketOptions = {
      ...(alpn ? { ALPNProtocols: [...alpn] } : {}),
      ...(clients ? { requestCert: true, rejectUnauthorized: clients.required } : {}),
      secureContext: store.default,
      SNICallback: (name, found) => found(null, store.find(name)),
    };
    return RuntimeSession.open(c.socket, c.clock, options, clients);
  }
}
