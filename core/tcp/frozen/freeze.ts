/**
 * Freezing and thawing of one connection.
 *
 * @module
 */
import { endConnection } from "../close_connection.ts";
import { brokenInvariants } from "../invariants.ts";
import { SendOrders } from "../recovery/send_orders.ts";
import { type Tcb, TCB_EVENT } from "../tcb.ts";
import { FIN_RECEIVED, RELEASED, RESET_QUEUED } from "../tcb_flags.ts";
import type { FieldCodec } from "./field_codec.ts";
import type { FieldReader } from "./field_reader.ts";
import { MOVABLE_STATES, sendOrdersOf, visitTcb } from "./tcb_fields.ts";

/** Whether the connection can move: it is synchronized, was accepted, and is not about to end. */
export function canMove(tcb: Tcb): boolean {
  return MOVABLE_STATES.includes(tcb.state) && !tcb.has(RELEASED | RESET_QUEUED) &&
    tcb.listener === undefined && tcb.error === undefined;
}

/** Writes the record of a connection for which {@link canMove} is true. The connection does not change. */
export function writeTcb(tcb: Tcb, codec: FieldCodec): void {
  visitTcb(tcb, codec, sendOrdersOf(tcb));
}

/** Ends the connection here without sending a segment: the stack that reads its record continues it. */
export function leaveMoved(tcb: Tcb): void {
  // Unread text and the end of the stream belong to the owner of the record.
  tcb.receive.clear();
  tcb.clear(FIN_RECEIVED);
  endConnection(tcb, "CONNECTION_MOVED");
}

/** Reads a record into a new connection; returns what is wrong with it, if anything. */
export function readTcb(tcb: Tcb, reader: FieldReader): string | undefined {
  visitTcb(tcb, reader, (span) => {
    return new SendOrders(tcb.environment.scoreboards.reserveOrders(span), span);
  });
  if (reader.fault !== undefined) return reader.fault;
  const { sendBuffer, receiveBuffer } = tcb.config;
  if (tcb.send.limit > sendBuffer) return tooLarge("sendBuffer", tcb.send.limit, sendBuffer);
  if (tcb.receiveLimit > receiveBuffer) {
    return tooLarge("receiveBuffer", tcb.receiveLimit, receiveBuffer);
  }
  tcb.pathMtu = Math.min(tcb.pathMtu, tcb.environment.mtu);
  tcb.updateSendMss();
  const broken = brokenInvariants(tcb);
  if (broken.length > 0) return `it is not consistent: ${broken[0]}`;
  tcb.releaseUnusedRecords();
  tcb.notify(TCB_EVENT.OPENED | TCB_EVENT.READABLE | TCB_EVENT.WRITABLE);
  return undefined;
}

function tooLarge(option: string, size: number, most: number): string {
  return `its buffer has ${size} bytes, and tcp.${option} of this stack is ${most}: ` +
    "give this stack at least as much";
}
