/**
 * The functions and constants of OpenSSL 3 used here.
 *
 * @module
 */
import {
  type ForeignLibrary,
  openLibrary,
  type Pointer,
  type Signature,
} from "../../../runtime/foreign_library.ts";

type Bytes = Uint8Array<ArrayBufferLike>;

/** Functions of libssl and libcrypto, by name. */
export interface OpenSslFunctions {
  TLS_server_method(): Pointer;
  SSL_CTX_new(method: Pointer): Pointer | null;
  SSL_CTX_free(context: Pointer): void;
  SSL_CTX_ctrl(context: Pointer, command: number, value: number, argument: Pointer | null): number;
  SSL_CTX_set_options(context: Pointer, options: bigint): bigint;
  SSL_CTX_callback_ctrl(context: Pointer, command: number, callback: Pointer): number;
  SSL_CTX_set_alpn_select_cb(context: Pointer, callback: Pointer, argument: null): void;
  SSL_CTX_set_cipher_list(context: Pointer, names: Bytes): number;
  SSL_CTX_set_session_id_context(context: Pointer, id: Bytes, length: number): number;
  SSL_CTX_set_verify(context: Pointer, mode: number, callback: null): void;
  SSL_CTX_use_certificate(context: Pointer, certificate: Pointer): number;
  SSL_CTX_use_PrivateKey(context: Pointer, key: Pointer): number;
  SSL_CTX_add_client_CA(context: Pointer, certificate: Pointer): number;
  SSL_CTX_get_cert_store(context: Pointer): Pointer;
  SSL_new(context: Pointer): Pointer | null;
  SSL_free(ssl: Pointer): void;
  SSL_set_bio(ssl: Pointer, input: Pointer, output: Pointer): void;
  SSL_set_SSL_CTX(ssl: Pointer, context: Pointer): Pointer;
  SSL_set_accept_state(ssl: Pointer): void;
  SSL_do_handshake(ssl: Pointer): number;
  SSL_read(ssl: Pointer, target: Bytes, size: number): number;
  SSL_write(ssl: Pointer, source: Bytes, size: number): number;
  SSL_shutdown(ssl: Pointer): number;
  SSL_get_error(ssl: Pointer, result: number): number;
  SSL_get_version(ssl: Pointer): Pointer;
  SSL_get_current_cipher(ssl: Pointer): Pointer | null;
  SSL_CIPHER_get_name(cipher: Pointer | null): Pointer;
  SSL_get_servername(ssl: Pointer, type: number): Pointer | null;
  SSL_get_verify_result(ssl: Pointer): number;
  SSL_get1_peer_certificate(ssl: Pointer): Pointer | null;
  SSL_select_next_proto(
    selected: Pointer,
    selectedLength: Pointer,
    server: Bytes,
    serverLength: number,
    client: Pointer,
    clientLength: number,
  ): number;
  BIO_s_mem(): Pointer;
  BIO_new(method: Pointer): Pointer;
  BIO_new_mem_buf(bytes: Bytes, length: number): Pointer;
  BIO_up_ref(bio: Pointer): number;
  BIO_free(bio: Pointer): number;
  BIO_ctrl(bio: Pointer, command: number, value: number, argument: null): number;
  BIO_ctrl_pending(bio: Pointer): number;
  BIO_read(bio: Pointer, target: Bytes, size: number): number;
  BIO_write(bio: Pointer, source: Bytes, size: number): number;
  PEM_read_bio_X509_AUX(bio: Pointer, into: null, password: null, argument: null): Pointer | null;
  PEM_read_bio_PrivateKey(bio: Pointer, into: null, password: null, argument: null): Pointer | null;
  X509_free(certificate: Pointer): void;
  X509_STORE_add_cert(store: Pointer, certificate: Pointer): number;
  X509_verify_cert_error_string(code: number): Pointer;
  i2d_X509_bio(bio: Pointer, certificate: Pointer): number;
  EVP_PKEY_free(key: Pointer): void;
  ERR_get_error(): number | bigint;
  ERR_reason_error_string(error: number | bigint): Pointer | null;
  ERR_clear_error(): void;
}

/** `libssl.so.3`, with libcrypto. */
export type OpenSsl = ForeignLibrary<OpenSslFunctions>;

const P = "pointer";
const SIGNATURES: Readonly<Record<keyof OpenSslFunctions, Signature>> = {
  TLS_server_method: { parameters: [], result: P },
  SSL_CTX_new: { parameters: [P], result: P },
  SSL_CTX_free: { parameters: [P], result: "void" },
  SSL_CTX_ctrl: { parameters: [P, "i32", "i64", P], result: "i32" },
  SSL_CTX_set_options: { parameters: [P, "u64"], result: "u64" },
  SSL_CTX_callback_ctrl: { parameters: [P, "i32", P], result: "i32" },
  SSL_CTX_set_alpn_select_cb: { parameters: [P, P, P], result: "void" },
  SSL_CTX_set_cipher_list: { parameters: [P, "buffer"], result: "i32" },
  SSL_CTX_set_session_id_context: { parameters: [P, "buffer", "u32"], result: "i32" },
  SSL_CTX_set_verify: { parameters: [P, "i32", P], result: "void" },
  SSL_CTX_use_certificate: { parameters: [P, P], result: "i32" },
  SSL_CTX_use_PrivateKey: { parameters: [P, P], result: "i32" },
  SSL_CTX_add_client_CA: { parameters: [P, P], result: "i32" },
  SSL_CTX_get_cert_store: { parameters: [P], result: P },
  SSL_new: { parameters: [P], result: P },
  SSL_free: { parameters: [P], result: "void" },
  SSL_set_bio: { parameters: [P, P, P], result: "void" },
  SSL_set_SSL_CTX: { parameters: [P, P], result: P },
  SSL_set_accept_state: { parameters: [P], result: "void" },
  SSL_do_handshake: { parameters: [P], result: "i32" },
  SSL_read: { parameters: [P, "buffer", "i32"], result: "i32" },
  SSL_write: { parameters: [P, "buffer", "i32"], result: "i32" },
  SSL_shutdown: { parameters: [P], result: "i32" },
  SSL_get_error: { parameters: [P, "i32"], result: "i32" },
  SSL_get_version: { parameters: [P], result: P },
  SSL_get_current_cipher: { parameters: [P], result: P },
  SSL_CIPHER_get_name: { parameters: [P], result: P },
  SSL_get_servername: { parameters: [P, "i32"], result: P },
  SSL_get_verify_result: { parameters: [P], result: "i32" },
  SSL_get1_peer_certificate: { parameters: [P], result: P },
  SSL_select_next_proto: { parameters: [P, P, "buffer", "u32", P, "u32"], result: "i32" },
  BIO_s_mem: { parameters: [], result: P },
  BIO_new: { parameters: [P], result: P },
  BIO_new_mem_buf: { parameters: ["buffer", "i32"], result: P },
  BIO_up_ref: { parameters: [P], result: "i32" },
  BIO_free: { parameters: [P], result: "i32" },
  BIO_ctrl: { parameters: [P, "i32", "i64", P], result: "i32" },
  // 64 bits in C, but never 2 GiB or more here.
  BIO_ctrl_pending: { parameters: [P], result: "i32" },
  BIO_read: { parameters: [P, "buffer", "i32"], result: "i32" },
  BIO_write: { parameters: [P, "buffer", "i32"], result: "i32" },
  PEM_read_bio_X509_AUX: { parameters: [P, P, P, P], result: P },
  PEM_read_bio_PrivateKey: { parameters: [P, P, P, P], result: P },
  X509_free: { parameters: [P], result: "void" },
  X509_STORE_add_cert: { parameters: [P, P], result: "i32" },
  X509_verify_cert_error_string: { parameters: ["i64"], result: P },
  i2d_X509_bio: { parameters: [P, P], result: "i32" },
  EVP_PKEY_free: { parameters: [P], result: "void" },
  ERR_get_error: { parameters: [], result: "u64" },
  ERR_reason_error_string: { parameters: ["u64"], result: P },
  ERR_clear_error: { parameters: [], result: "void" },
};

/** The library by name, and by its paths on Debian, Fedora, Alpine and Arch. */
const NAMES: readonly string[] = [
  "libssl.so.3",
  "/usr/lib/x86_64-linux-gnu/libssl.so.3",
  "/usr/lib/aarch64-linux-gnu/libssl.so.3",
  "/lib/x86_64-linux-gnu/libssl.so.3",
  "/lib/aarch64-linux-gnu/libssl.so.3",
  "/usr/lib64/libssl.so.3",
  "/usr/lib/libssl.so.3",
];

let opened: OpenSsl | undefined | null = null;

/** Opens the library once; returns `undefined` if it is missing or not permitted. */
export function openSsl(): OpenSsl | undefined {
  if (opened === null) opened = openLibrary<OpenSslFunctions>(NAMES, SIGNATURES);
  return opened;
}

/** `SSL_get_error`. */
export const SSL_ERROR = { SSL: 1, WANT_READ: 2, ZERO_RETURN: 6 } as const;

/** Commands of `SSL_CTX_ctrl` and `SSL_CTX_callback_ctrl`, which are macros in C. */
export const SSL_CTRL = {
  MODE: 33,
  SET_SESS_CACHE_MODE: 44,
  SET_TLSEXT_SERVERNAME_CB: 53,
  SET_TLSEXT_TICKET_KEYS: 59,
  CHAIN_CERT: 89,
  SET_DH_AUTO: 118,
  SET_MIN_PROTO_VERSION: 123,
} as const;

/** Return values of callbacks. */
export const SSL_TLSEXT_ERR = { OK: 0, ALERT_FATAL: 2 } as const;

/** Returns why the last operation failed, and clears the error queue. */
export function takeError({ functions, text }: OpenSsl): string {
  const code = functions.ERR_get_error();
  functions.ERR_clear_error();
  const reason = code ? functions.ERR_reason_error_string(code) : null;
  return reason ? text(reason) : "the connection ended";
}
