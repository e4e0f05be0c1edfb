/**
 * The record of a connection that moves to another stack: the core's part, the socket's part, and the state of the
 * plugins.
 *
 * @module
 */
import type { FieldCodec } from "../../tcp/frozen/field_codec.ts";
import type { Attachment, JsonValue } from "./types.ts";

/** Maximum size of pending writes in a record, in bytes. */
export const MAX_PENDING_BYTES: number = 16 * 1024 * 1024;
/** Maximum length of the JSON text of one plugin's state, in bytes. */
export const MAX_STATE_BYTES: number = 64 * 1024;
/** Maximum number of plugins that share a connection. */
const MAX_PLUGINS = 16;
/** Maximum length of a plugin's name, in bytes. */
const MAX_NAME_BYTES = 256;

/** What a socket adds to the record of its connection. */
export interface SocketState {
  /** The peer's FIN, once it is read, closes this side too. */
  readonly closesWithPeer: boolean;
  /** A FIN follows the last byte that was written, `pending` included. */
  readonly writeClosed: boolean;
  /** Reading has ended as well. */
  readonly closed: boolean;
  /** Whole seconds since the connection was accepted. */
  readonly ageSeconds: number;
  /** Bytes of writes that the send buffer has not accepted yet. */
  readonly pending: Uint8Array<ArrayBuffer>;
}

/** Maximum number of attachments of one plugin. */
export const MAX_ATTACHMENTS = 8;

/** The state of one plugin of the chain that serves the connection. */
export interface PluginState {
  readonly name: string;
  readonly version: number;
  readonly state: JsonValue;
  /** Number of its attachments, which are not in the record. */
  readonly attachments: number;
}

/** The state that the plugins keep for a connection. */
export interface ChainState {
  readonly plugins: readonly PluginState[];
  /** The attachments of all plugins, in order. */
  readonly attachments: readonly Attachment[];
}

/** The part of a record that follows the fields of the core. */
export interface ApiRecord {
  readonly socket: SocketState;
  /** `undefined`: no handler serves the connection. */
  readonly plugins: readonly PluginState[] | undefined;
}

/** An empty record, for a reader to fill in. */
export const EMPTY_RECORD: ApiRecord = {
  socket: {
    closesWithPeer: false,
    writeClosed: false,
    closed: false,
    ageSeconds: 0,
    pending: new Uint8Array(0),
  },
  plugins: undefined,
};

/** Visits the socket's and the plugins' part; a state that is not JSON reads as `undefined`. */
export function visitApiRecord(record: ApiRecord, codec: FieldCodec): ApiRecord {
  let socket = record.socket;
  codec.part("socket", () => {
    const { closesWithPeer, writeClosed, closed, ageSeconds, pending } = socket;
    socket = {
      closesWithPeer: codec.flag("closesWithPeer", closesWithPeer),
      writeClosed: codec.flag("writeClosed", writeClosed),
      closed: codec.flag("closed", closed),
      ageSeconds: codec.count("ageSeconds", ageSeconds),
      pending: codec.bytes(
        "pending",
        pending.length,
        MAX_PENDING_BYTES,
        (target) => target.set(pending),
      ),
    };
  });
  const plugins = codec.optional("plugins", record.plugins, () => [], (states) => {
    const visited: PluginState[] = [];
    codec.list("plugins", states.length, MAX_PLUGINS, (i) => {
      const { name, version, state, attachments } = states[i] ?? NO_STATE;
      visited[i] = {
        name: visitText("name", name, MAX_NAME_BYTES, codec),
        version: codec.count("version", version),
        state: parseState(visitText("state", JSON.stringify(state), MAX_STATE_BYTES, codec)),
        attachments: codec.count("attachments", attachments, MAX_ATTACHMENTS),
      };
    });
    return visited;
  });
  return { socket, plugins };
}

const NO_STATE: PluginState = { name: "", version: 0, state: null, attachments: 0 };

function visitText(name: string, text: string, most: number, codec: FieldCodec): string {
  const bytes = new TextEncoder().encode(text);
  const visited = codec.bytes(name, bytes.length, most, (target) => target.set(bytes));
  return new TextDecoder().decode(visited);
}

function parseState(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return null;
  }
}
