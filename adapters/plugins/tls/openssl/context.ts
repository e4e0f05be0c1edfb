/**
 * A certificate with its key as an `SSL_CTX`.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { Pointer } from "../../../runtime/foreign_library.ts";
import type { CertificateMaterial } from "../certificates.ts";
import type { ServerSettings } from "../engine.ts";
import { type OpenSsl, SSL_CTRL, takeError } from "./library.ts";

const VERSIONS = { "TLSv1.2": 0x0303, "TLSv1.3": 0x0304 } as const;
const SSL_VERIFY_PEER = 1;
const SSL_VERIFY_FAIL_IF_NO_PEER_CERT = 2;
/** Without it a client could renegotiate as often as it likes (RFC 5746 sets no limit). */
const SSL_OP_NO_RENEGOTIATION = 1n << 30n;
const SSL_OP_CIPHER_SERVER_PREFERENCE = 1n << 22n;
const SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER = 2;
const SSL_MODE_NO_AUTO_CHAIN = 8;
/** Idle sessions release their 16 KiB buffers. */
const SSL_MODE_RELEASE_BUFFERS = 16;
/**
 * SSL_MODE_ENABLE_PARTIAL_WRITE is left out: it would end each write after one record, although a memory BIO accepts
 * any number.
 */
const MODE = SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_NO_AUTO_CHAIN |
  SSL_MODE_RELEASE_BUFFERS;

/** What all contexts of a server share besides {@link ServerSettings}. */
export interface ContextCallbacks {
  readonly serverName: Pointer;
  /** `undefined` without ALPN. */
  readonly alpn: Pointer | undefined;
}

/** An `SSL_CTX`, freed when it is no longer referenced. */
export class SslContext {
  readonly pointer: Pointer;

  /** @throws {Error} The library cannot use the certificate, the key or an authority. */
  constructor(
    library: OpenSsl,
    material: CertificateMaterial,
    ca: string | undefined,
    settings: ServerSettings,
    callbacks: ContextCallbacks,
    tickets: TicketKeys,
  ) {
    const { functions } = library;
    const pointer = functions.SSL_CTX_new(functions.TLS_server_method());
    if (!pointer) throw new Error(takeError(library));
    this.pointer = pointer;
    garbage(library).register(this, pointer);
    configure(library, pointer, settings, callbacks);
    useCertificate(library, pointer, material);
    if (settings.clients) useAuthorities(library, pointer, ca ?? "", settings.clients.required);
    tickets.use(library, pointer, ca ?? "");
  }
}

/**
 * The keys of session tickets (RFC 8446 4.6.1, RFC 5077). All certificates of a server share them, so
 * that sessions can be resumed after a renewal. They are kept for the lifetime of the server.
 */
export class TicketKeys {
  readonly #keys: Uint8Array<ArrayBuffer> = crypto.getRandomValues(new Uint8Array(80));

  /** Makes `context` use these keys. A session whose client was verified with a CA other than `ca` is not resumed. */
  use({ functions, addressOf }: OpenSsl, context: Pointer, ca: string): void {
    const keys = this.#keys;
    functions.SSL_CTX_ctrl(context, SSL_CTRL.SET_TLSEXT_TICKET_KEYS, keys.length, addressOf(keys));
    const id = sessionIdContext(ca);
    functions.SSL_CTX_set_session_id_context(context, id, id.length);
  }
}

const registries: Map<OpenSsl, FinalizationRegistry<Pointer>> = new Map();

function garbage(library: OpenSsl): FinalizationRegistry<Pointer> {
  let registry = registries.get(library);
  if (registry === undefined) {
    registry = new FinalizationRegistry((pointer) => library.functions.SSL_CTX_free(pointer));
    registries.set(library, registry);
  }
  return registry;
}

function configure(
  { functions }: OpenSsl,
  context: Pointer,
  { minVersion, ciphers }: ServerSettings,
  callbacks: ContextCallbacks,
): void {
  const set = (command: number, value: number) =>
    void functions.SSL_CTX_ctrl(context, command, value, null);
  set(SSL_CTRL.SET_MIN_PROTO_VERSION, VERSIONS[minVersion]);
  set(SSL_CTRL.MODE, MODE);
  // Resumption uses stateless tickets only.
  set(SSL_CTRL.SET_SESS_CACHE_MODE, 0);
  set(SSL_CTRL.SET_DH_AUTO, 1);
  if (ciphers !== undefined) {
    functions.SSL_CTX_set_cipher_list(context, new TextEncoder().encode(`${ciphers}\0`));
  }
  functions.SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  functions.SSL_CTX_callback_ctrl(
    context,
    SSL_CTRL.SET_TLSEXT_SERVERNAME_CB,
    callbacks.serverName,
  );
  if (callbacks.alpn) functions.SSL_CTX_set_alpn_select_cb(context, callbacks.alpn, null);
}

function useCertificate(
  library: OpenSsl,
  context: Pointer,
  { certificate, key }: CertificateMaterial,
): void {
  const { functions } = library;
  const [own, ...issuers] = readCertificates(library, certificate);
  const isUsed = own !== undefined && functions.SSL_CTX_use_certificate(context, own) === 1 &&
    issuers.every((each) => functions.SSL_CTX_ctrl(context, SSL_CTRL.CHAIN_CERT, 1, each) === 1);
  for (const each of own === undefined ? [] : [own, ...issuers]) functions.X509_free(each);
  if (!isUsed) throw new Error(takeError(library));
  const privateKey = withMemory(
    library,
    key,
    (bio) => functions.PEM_read_bio_PrivateKey(bio, null, null, null),
  );
  const isKeyUsed = privateKey && functions.SSL_CTX_use_PrivateKey(context, privateKey) === 1;
  if (privateKey) functions.EVP_PKEY_free(privateKey);
  if (!isKeyUsed) throw new Error(takeError(library));
}

function useAuthorities(
  library: OpenSsl,
  context: Pointer,
  ca: string,
  isRequired: boolean,
): void {
  const { functions } = library;
  const authorities = readCertificates(library, ca);
  const store = functions.SSL_CTX_get_cert_store(context);
  for (const authority of authorities) {
    functions.X509_STORE_add_cert(store, authority);
    functions.SSL_CTX_add_client_CA(context, authority);
    functions.X509_free(authority);
  }
  if (authorities.length === 0) throw new Error(`the client CA: ${takeError(library)}`);
  functions.ERR_clear_error();
  const mode = SSL_VERIFY_PEER | (isRequired ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0);
  functions.SSL_CTX_set_verify(context, mode, null);
}

/** Parses the certificates in `pem`; the caller frees them. */
function readCertificates(library: OpenSsl, pem: string): Pointer[] {
  const { functions } = library;
  const found: Pointer[] = [];
  withMemory(library, pem, (bio) => {
    for (;;) {
      const certificate = functions.PEM_read_bio_X509_AUX(bio, null, null, null);
      if (!certificate) break;
      found.push(certificate);
    }
  });
  // The end of the text is reported as an error too: PEM_R_NO_START_LINE.
  if (found.length > 0) functions.ERR_clear_error();
  return found;
}

function withMemory<T>({ functions }: OpenSsl, text: string, use: (bio: Pointer) => T): T {
  const bytes = new TextEncoder().encode(text);
  const bio = functions.BIO_new_mem_buf(bytes, bytes.length);
  try {
    return use(bio);
  } finally {
    functions.BIO_free(bio);
    // The text may be a key, so it is wiped; only now, because the BIO reads it in place.
    bytes.fill(0);
  }
}

/** The session ID context for a CA; OpenSSL allows at most 32 bytes. */
function sessionIdContext(ca: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(createHash("sha256").update("berth").update(ca).digest());
}
