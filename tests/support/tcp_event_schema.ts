/**
 * The schema of event logs, from which `tcp-events.schema.json` is generated. The compiler compares it
 * with the types in `core/tcp/event_log/events.ts`.
 *
 * @module
 */
import { z } from "zod";
import type { ConnectionSnapshot, TcpEvent } from "../../core/tcp/event_log/events.ts";
import type { DropReason } from "../../core/wire/drop_reason.ts";

const ms = z.number();
const bytes = z.int().min(0);
const sequence = z.int().min(0).max(0xffff_ffff);
const range = z.tuple([sequence, sequence]).readonly();

const state = z.enum([
  "CLOSED",
  "LISTEN",
  "SYN-SENT",
  "SYN-RECEIVED",
  "ESTABLISHED",
  "FIN-WAIT-1",
  "FIN-WAIT-2",
  "CLOSE-WAIT",
  "CLOSING",
  "LAST-ACK",
  "TIME-WAIT",
]);
const error = z.enum([
  "CONNECTION_REFUSED",
  "CONNECTION_RESET",
  "CONNECTION_ABORTED",
  "CONNECTION_MOVED",
  "TIMED_OUT",
  "UNREACHABLE",
  "ADDRESS_NOT_AVAILABLE",
  "STACK_CLOSED",
]);
const congestionState = z.enum([
  "slow_start",
  "congestion_avoidance",
  "recovery",
  "timeout",
  "open",
]);
const timer = z.enum([
  "reordering",
  "tail_loss_probe",
  "retransmission",
  "persist",
  "delayed_ack",
  "ack_stall",
  "keep_alive",
  "lifetime",
  "pacing",
]);

const header = z.strictObject({
  seq: sequence,
  ack: sequence.exactOptional(),
  flags: z.array(z.enum(["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"])).readonly(),
  window: bytes,
  length: bytes,
  segments: z.int().min(2).exactOptional(),
  ecn: z.enum(["ECT(0)", "ECT(1)", "CE"]).exactOptional(),
  options: z.strictObject({
    mss: z.int().exactOptional(),
    window_scale: z.int().exactOptional(),
    sack_permitted: z.literal(true).exactOptional(),
    timestamps: z.strictObject({ value: sequence, echo_reply: sequence }).exactOptional(),
    sack: z.array(range).readonly().exactOptional(),
  }).exactOptional(),
});

const metrics = z.strictObject({
  congestion_window: z.number().min(0),
  ssthresh: z.number().min(0).nullable(),
  bytes_in_flight: bytes,
  smoothed_rtt: ms,
  rtt_variance: ms,
  min_rtt: ms,
  rto: ms,
  rto_backoff: z.int(),
  pacing_rate: z.number().nullable(),
  send_window: bytes,
  send_mss: z.int(),
});

const endpoint = z.strictObject({ address: z.string(), port: z.int().min(1).max(65_535) });

const snapshot = z.strictObject({
  local: endpoint,
  remote: endpoint,
  role: z.enum(["client", "server"]),
  state,
  iss: sequence,
  irs: sequence,
  snd_una: sequence,
  snd_nxt: sequence,
  rcv_nxt: sequence,
  window_scaling: z.boolean(),
  sack: z.boolean(),
  timestamps: z.boolean(),
  ecn: z.boolean(),
  congestion_control: z.enum(["unacked", "newreno", "cubic", "bbr"]),
  congestion_state: congestionState,
  metrics,
  timers: z.array(z.strictObject({ timer_type: timer, delta: ms })).readonly(),
  lost: z.array(range).readonly(),
  unsent: bytes,
  unread: bytes,
}) satisfies z.ZodType<ConnectionSnapshot>;

function event<Name extends string, Data extends z.ZodType>(name: Name, data: Data) {
  return z.strictObject({ time: ms, name: z.literal(name), data });
}

/** One event. */
export const tcpEventSchema = z.discriminatedUnion("name", [
  event("tcp:snapshot", snapshot),
  event("tcp:events_dropped", z.strictObject({ count: z.int().min(1) })),
  event(
    "tcp:segment_sent",
    z.strictObject({
      header,
      trigger: z.enum(["retransmission", "tail_loss_probe", "window_probe", "keep_alive"])
        .exactOptional(),
    }),
  ),
  event(
    "tcp:segment_received",
    z.strictObject({
      header,
      drop_reason: z.custom<DropReason>((text) => typeof text === "string").exactOptional(),
    }),
  ),
  event(
    "tcp:data_acknowledged",
    z.strictObject({ snd_una: sequence, acked: bytes, sacked: bytes }),
  ),
  event(
    "tcp:data_lost",
    z.strictObject({
      start: sequence,
      end: sequence,
      trigger: z.enum(["rack", "duplicate_acks", "retransmission_timeout", "probe_timeout"]),
    }),
  ),
  event(
    "tcp:recovery_metrics_updated",
    z.strictObject({
      ...Object.fromEntries(
        Object.entries(metrics.shape).map(([key, one]) => [key, one.exactOptional()]),
      ) as { [Key in keyof typeof metrics.shape]: z.ZodExactOptional<typeof metrics.shape[Key]> },
      latest_rtt: ms.exactOptional(),
    }),
  ),
  event(
    "tcp:congestion_state_updated",
    z.strictObject({
      old: congestionState,
      new: congestionState,
      trigger: z.literal("spurious").exactOptional(),
    }),
  ),
  event(
    "tcp:timer_updated",
    z.strictObject({
      timer_type: timer,
      event_type: z.enum(["set", "expired", "cancelled"]),
      delta: ms.exactOptional(),
    }),
  ),
  event(
    "tcp:connection_state_updated",
    z.strictObject({ old: state, new: state, error: error.exactOptional() }),
  ),
  event("tcp:data_written", z.strictObject({ length: bytes, unsent: bytes })),
  event("tcp:data_read", z.strictObject({ length: bytes, unread: bytes })),
]) satisfies z.ZodType<TcpEvent>;

/** Every value of the types has a schema, as every value of the schema has a type. */
const isComplete: TcpEvent extends z.infer<typeof tcpEventSchema> ? true : false = true;
void isComplete;

/** The JSON Schema of one event, as text. */
export function tcpEventJsonSchema(): string {
  const { $schema, ...rest } = z.toJSONSchema(tcpEventSchema, {
    unrepresentable: "any",
    override({ zodSchema, jsonSchema }) {
      if (zodSchema._zod.def.type === "custom") jsonSchema.type = "string";
    },
  });
  const schema = { $schema, title: "One event of a TCP event log of berth", ...rest };
  return `${JSON.stringify(schema, null, 2)}\n`;
}
