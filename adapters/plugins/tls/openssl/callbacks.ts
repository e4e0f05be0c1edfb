/**
 * Callbacks of the library during a handshake. They run in the thread of the handshake, before the call
 * that runs it returns, so a variable can hold the current session.
 *
 * @module
 */
import type { ForeignType, Pointer } from "../../../runtime/foreign_library.ts";
import { type OpenSsl, SSL_TLSEXT_ERR } from "./library.ts";

/** A session whose handshake is running. */
export interface HandshakeParty {
  /** Selects the certificate for the server name of the client. */
  chooseCertificate(name: string): void;
  /** Selects one of the protocols that the client offers, or `undefined` for none of them. */
  chooseProtocol(offered: readonly string[]): string | undefined;
}

/** The two callbacks that all contexts share. */
export interface Callbacks {
  readonly serverName: Pointer;
  readonly alpn: Pointer;
}

/** `OPENSSL_NPN_NEGOTIATED`. */
const NEGOTIATED = 1;
const TLSEXT_NAMETYPE_HOST_NAME = 0;

let party: HandshakeParty | undefined;
const made: Map<OpenSsl, Callbacks> = new Map();

/** Runs a step of the handshake of `of`, which handles the callbacks during that step. */
export function withHandshakeParty<T>(of: HandshakeParty, step: () => T): T {
  party = of;
  try {
    return step();
  } finally {
    party = undefined;
  }
}

/** The callbacks of this thread. They are created once, because a callback is never freed. */
export function callbacksOf(library: OpenSsl): Callbacks {
  let callbacks = made.get(library);
  if (callbacks === undefined) made.set(library, callbacks = makeCallbacks(library));
  return callbacks;
}

function makeCallbacks(library: OpenSsl): Callbacks {
  return {
    serverName: library.callback(
      { parameters: ["pointer", "pointer", "pointer"], result: "i32" },
      (ssl: Pointer) => chooseCertificate(library, ssl),
    ),
    alpn: library.callback(
      { parameters: ALPN_PARAMETERS, result: "i32" },
      (_ssl: Pointer, out: Pointer, outLength: Pointer, offered: Pointer, length: number) =>
        chooseProtocol(library, { out, outLength, offered, length }),
    ),
  };
}

/** `SSL *`, `out`, `outlen`, `in`, `inlen`, `arg`. */
const ALPN_PARAMETERS: readonly ForeignType[] = [
  "pointer",
  "pointer",
  "pointer",
  "pointer",
  "u32",
  "pointer",
];

function chooseCertificate({ functions, text }: OpenSsl, ssl: Pointer): number {
  try {
    const name = functions.SSL_get_servername(ssl, TLSEXT_NAMETYPE_HOST_NAME);
    if (name) party?.chooseCertificate(text(name));
    return SSL_TLSEXT_ERR.OK;
  } catch {
    return SSL_TLSEXT_ERR.ALERT_FATAL;
  }
}

interface Offer {
  readonly out: Pointer;
  readonly outLength: Pointer;
  readonly offered: Pointer;
  readonly length: number;
}

function chooseProtocol(library: OpenSsl, { out, outLength, offered, length }: Offer): number {
  try {
    const chosen = party?.chooseProtocol(protocolsOf(library.bytes(offered, length)));
    if (chosen === undefined) return SSL_TLSEXT_ERR.ALERT_FATAL;
    const answer = protocolList(chosen);
    // Sets `*out`, which may point into `answer`; `answer` is never freed.
    const { SSL_select_next_proto } = library.functions;
    const { length: size } = answer;
    const result = SSL_select_next_proto(out, outLength, answer, size, offered, length);
    return result === NEGOTIATED ? SSL_TLSEXT_ERR.OK : SSL_TLSEXT_ERR.ALERT_FATAL;
  } catch {
    return SSL_TLSEXT_ERR.ALERT_FATAL;
  }
}

/** RFC 7301 3.1: each name follows its length. The library has checked the lengths. */
function protocolsOf(list: Uint8Array): string[] {
  const names: string[] = [];
  for (let at = 0; at < list.length;) {
    const end = at + 1 + list[at]!;
    names.push(String.fromCharCode(...list.subarray(at + 1, end)));
    at = end;
  }
  return names;
}

const lists: Map<string, Uint8Array> = new Map();

/** A list with one name, at a fixed address. There is one for each protocol that a server supports. */
function protocolList(name: string): Uint8Array {
  let list = lists.get(name);
  if (list === undefined) {
    list = Uint8Array.from([name.length, ...[...name].map((each) => each.charCodeAt(0))]);
    // Bun moves the bytes of a small array when its `buffer` is first read.
    void list.buffer;
    lists.set(name, list);
  }
  return list;
}
