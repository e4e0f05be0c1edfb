/**
 * The opening handshake, server side (RFC 6455 4.2).
 *
 * @module
 */
import { hasOption } from "../persistence.ts";

/** RFC 6455 1.3 */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** Whether the request asks for a WebSocket, valid or not. */
export function asksForWebSocket(headers: Headers): boolean {
  return hasOption(headers.get("upgrade") ?? "", "websocket");
}

/** The response that refuses the handshake; `undefined` if it is valid (RFC 6455 4.2.1). */
export function handshakeFault(method: string, headers: Headers): Response | undefined {
  if (method !== "GET") return refuse(400, "the method of a WebSocket handshake is GET");
  if (!hasOption(headers.get("connection") ?? "", "upgrade")) {
    return refuse(400, "Connection does not have the option Upgrade");
  }
  if (headers.get("sec-websocket-version") !== "13") {
    // RFC 6455 4.4
    return refuse(426, "this server speaks version 13 of the WebSocket protocol", {
      "sec-websocket-version": "13",
      upgrade: "websocket",
    });
  }
  if (!KEY.test(headers.get("sec-websocket-key") ?? "")) {
    return refuse(400, "Sec-WebSocket-Key is not 16 bytes in base64");
  }
  return undefined;
}

/** 16 bytes in base64: 22 characters, the last of which carries 2 bits, and padding. */
const KEY = /^[A-Za-z0-9+/]{21}[AQgw]==$/;

/** The 101 response (RFC 6455 4.2.2). */
export async function handshakeResponse(
  headers: Headers,
  protocol: string | undefined,
): Promise<Response> {
  const answer = new Headers({
    upgrade: "websocket",
    "sec-websocket-accept": await acceptKey(headers.get("sec-websocket-key") ?? ""),
  });
  if (protocol) answer.set("sec-websocket-protocol", protocol);
  return new Response(null, { status: 101, headers: answer });
}

/** Sec-WebSocket-Accept for a Sec-WebSocket-Key. */
export async function acceptKey(key: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-1", new TextEncoder().encode(key + GUID));
  return btoa(String.fromCharCode(...new Uint8Array(digest)));
}

/**
 * The first of the client's subprotocols that is in `supported`; without that list, the client's first, as Hono's other
 * helpers choose (a browser fails the connection if it asked for subprotocols and none is chosen).
 */
export function chooseProtocol(
  headers: Headers,
  supported: readonly string[] | undefined,
): string | undefined {
  const offered = (headers.get("sec-websocket-protocol") ?? "").split(",")
    .map((each) => each.trim()).filter((each) => each !== "");
  return supported ? offered.find((each) => supported.includes(each)) : offered[0];
}

function refuse(status: number, reason: string, headers: Record<string, string> = {}): Response {
  return new Response(`${reason}\n`, { status, headers });
}
