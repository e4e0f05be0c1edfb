/**
 * The messages of a move, one in each frame: a type, the number of the connection in this session,
 * and the rest.
 *
 * @module
 */

/** A message. */
export type MoveMessage =
  /** Asks whether the receiver answers, before a connection is frozen. The number identifies the question. */
  | { readonly type: "ask"; readonly id: number }
  /** The answer to `ask`. */
  | { readonly type: "ready"; readonly id: number }
  /** Gives the connection to the receiver. */
  | { readonly type: "commit"; readonly id: number; readonly record: Uint8Array }
  /** The receiver has not thawed the connection, so the sender keeps it. */
  | { readonly type: "refuse"; readonly id: number; readonly reason: string }
  /** The receiver has thawed the connection. */
  | { readonly type: "done"; readonly id: number }
  /** A packet that has arrived for the connection at the sender. */
  | {
    readonly type: "packet";
    readonly id: number;
    readonly segmentSize: number;
    readonly packet: Uint8Array;
  }
  /** Where the sender can pass sockets of the host, if both are on one machine. The number is 0. */
  | {
    readonly type: "descriptors";
    readonly id: number;
    readonly name: string;
    readonly token: Uint8Array;
  };

const TYPES: readonly MoveMessage["type"][] = [
  "ask",
  "ready",
  "commit",
  "refuse",
  "done",
  "packet",
  "descriptors",
];
const HEAD_LENGTH = 5;
const TOKEN_LENGTH = 16;
/** Maximum length of the name of a socket, in bytes (unix(7)). */
const MAX_NAME = 107;
/** Maximum length of a reason, in characters. */
const MAX_REASON = 500;

/** The frame of a message. */
export function encodeMessage(message: MoveMessage): Uint8Array {
  const rest = restOf(message);
  const frame = new Uint8Array(HEAD_LENGTH + rest.length);
  frame[0] = TYPES.indexOf(message.type);
  new DataView(frame.buffer).setUint32(1, message.id);
  frame.set(rest, HEAD_LENGTH);
  return frame;
}

function restOf(message: MoveMessage): Uint8Array {
  if (message.type === "refuse") {
    return new TextEncoder().encode(message.reason.slice(0, MAX_REASON));
  }
  if (message.type === "commit") return message.record;
  if (message.type === "descriptors") {
    return new Uint8Array([...message.token, ...new TextEncoder().encode(message.name)]);
  }
  if (message.type !== "packet") return new Uint8Array(0);
  const rest = new Uint8Array(2 + message.packet.length);
  new DataView(rest.buffer).setUint16(0, message.segmentSize);
  rest.set(message.packet, 2);
  return rest;
}

/** The message of a frame; `undefined` if the frame is not a message. */
export function decodeMessage(frame: Uint8Array): MoveMessage | undefined {
  if (frame.length < HEAD_LENGTH) return undefined;
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const type = TYPES[frame[0]!];
  const id = view.getUint32(1);
  const rest = frame.subarray(HEAD_LENGTH);
  switch (type) {
    case "refuse":
      return { type, id, reason: new TextDecoder().decode(rest).slice(0, MAX_REASON) };
    case "commit":
      return { type, id, record: rest };
    case "packet":
      if (rest.length < 2) return undefined;
      return { type, id, segmentSize: view.getUint16(HEAD_LENGTH), packet: rest.subarray(2) };
    case "descriptors":
      if (rest.length <= TOKEN_LENGTH || rest.length > TOKEN_LENGTH + MAX_NAME) return undefined;
      return {
        type,
        id,
        token: rest.slice(0, TOKEN_LENGTH),
        name: new TextDecoder().decode(rest.subarray(TOKEN_LENGTH)),
      };
    case "ask":
    case "ready":
    case "done":
      return rest.length === 0 ? { type, id } : undefined;
    default:
      return undefined;
  }
}
