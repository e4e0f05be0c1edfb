/**
 * The schemas of the admin API's answers, for the OpenAPI document. Each has the type of what the service returns, so
 * that a field that is added there is missing here for the compiler too.
 *
 * @module
 */
import { z } from "zod";
import { number, wholeNumber } from "../../../core/api/numbers.ts";
import type { HostPort } from "../../../core/api/host_port.ts";
import type { TcpState } from "../../../core/tcp/state.ts";
import { STATES } from "../../../core/tcp/state.ts";
import type { WaitReason } from "../../../core/api/types.ts";
import type { Impairments, LinkImpairments } from "../../links/decorators/impair.ts";
import type { Upstream } from "../dashboard/upstreams.ts";
import { LOG_LEVELS } from "../log/logger.ts";
import type { MoveReport } from "../moves/move_out.ts";
import type { ServingState } from "../readiness/readiness.ts";
import type { Changes } from "../reload/changes.ts";
import type { Upgraded } from "../upgrade/upgrader.ts";
import type { ConnectionPage, ConnectionRow } from "./connections.ts";

/** Makes the schema of an object whose fields are those of `T`, no more and no fewer. */
function objectOf<T>() {
  return <Shape extends { readonly [Key in keyof T]-?: z.ZodType<T[Key]> }>(
    shape: Shape & { readonly [Key in Exclude<keyof Shape, keyof T>]: never },
  ): z.ZodObject<Shape, z.core.$strict> => z.strictObject<Shape>(shape);
}

const MAX = Number.MAX_SAFE_INTEGER;
const count = wholeNumber(0, MAX);
const milliseconds = number(0, MAX);
/** The congestion control may compute fractions. */
const bytes = number(0, MAX);
const texts = z.array(z.string());

const OPTIONAL_NUMBER = number(0, MAX).optional();
const impairmentsShape = {
  loss: OPTIONAL_NUMBER,
  burstBegin: OPTIONAL_NUMBER,
  burstEnd: OPTIONAL_NUMBER,
  burstLoss: OPTIONAL_NUMBER,
  duplicate: OPTIONAL_NUMBER,
  reorder: OPTIONAL_NUMBER,
  corrupt: OPTIONAL_NUMBER,
  delayMs: OPTIONAL_NUMBER,
  jitterMs: OPTIONAL_NUMBER,
  reorderMs: OPTIONAL_NUMBER,
  bitsPerSecond: OPTIONAL_NUMBER,
  queueBytes: OPTIONAL_NUMBER,
} satisfies Readonly<Record<keyof Impairments, z.ZodType>>;

export const impairments = z.strictObject(
  {
    ...impairmentsShape,
    incoming: z.strictObject(impairmentsShape).optional(),
  } satisfies Readonly<Record<keyof LinkImpairments, z.ZodType>>,
);

/** What an error is answered with. */
export const errorAnswer = z.strictObject({ error: z.string() });

export const livez = z.strictObject({ ok: z.literal(true) });

export const ready = z.strictObject({ ready: z.literal(true) });

type NotReady = Exclude<ServingState, "serving"> | "retired" | "reloading";
const NOT_READY: Readonly<Record<NotReady, true>> = {
  "joining": true,
  "lame duck": true,
  "draining": true,
  "retired": true,
  "reloading": true,
};

export const notReady = z.strictObject({
  ready: z.literal(false),
  reason: z.enum(Object.keys(NOT_READY) as NotReady[]),
});

/** The settings have the keys of the configuration file. */
export const config = z.record(z.string(), z.unknown());

const difference = { added: texts, removed: texts };
const differences = z.strictObject(difference);
const changedDifferences = z.strictObject({ ...difference, changed: texts });

export const changes = objectOf<Changes>()({
  listen: changedDifferences,
  publish: changedDifferences,
  addresses: differences,
  settings: texts,
  running: count,
  reloadGraceMs: z.union([milliseconds, z.literal("never")]),
});

export const upgraded = objectOf<Upgraded>()({ pid: count, connections: count });

const hostPort = objectOf<HostPort>()({ hostname: z.string(), port: wholeNumber(0, 65_535) });

export const listeners = z.strictObject({
  listen: z.array(z.strictObject({ where: z.string(), plugins: texts })),
  publish: z.array(
    z.strictObject({ transport: z.enum(["tcp", "udp"]), address: hostPort, to: hostPort }),
  ),
});

const WAIT_REASONS: Readonly<Record<WaitReason, true>> = {
  "handshake": true,
  "window": true,
  "retransmission": true,
  "congestion-window": true,
  "pacing": true,
  "acknowledgement": true,
  "reader": true,
  "handler": true,
  "peer": true,
  "close": true,
  "time-wait": true,
};

export const connection = objectOf<ConnectionRow>()({
  id: z.string(),
  local: z.string(),
  remote: z.string(),
  plugin: z.string().optional(),
  ageSeconds: count,
  waitsFor: z.enum(Object.keys(WAIT_REASONS) as WaitReason[]),
  state: z.enum(Object.keys(STATES) as TcpState[]),
  srttMs: milliseconds,
  rttvarMs: milliseconds,
  rtoMs: milliseconds,
  cwnd: bytes,
  ssthresh: bytes,
  unacknowledged: count,
  flightSize: count,
  sendMss: count,
  sendWindow: count,
  receiveWindow: count,
  unread: count,
  bytesIn: count,
  bytesOut: count,
  segmentsIn: count,
  segmentsOut: count,
  retransmits: count,
  outOfOrder: count,
  urgentBytes: count,
});

export const connections = objectOf<ConnectionPage>()({
  total: count,
  connections: z.array(connection),
});

export const reset = z.strictObject({ reset: z.string() });

export const stopped = z.strictObject({ stopped: z.string() });

/** Counters by name. */
export const stats = z.record(z.string(), number(-MAX, MAX));

const upstream = objectOf<Upstream>()({
  upstream: z.string(),
  up: z.boolean(),
  open: count,
  failures: count,
  connectMs: milliseconds.nullable(),
});

export const upstreams = z.strictObject({ upstreams: z.array(upstream) });

const report = {
  moved: count,
  stayed: count,
  reasons: z.record(z.string(), count),
  pauseMs: z.strictObject({ p50: milliseconds, p99: milliseconds, max: milliseconds }),
  lost: count,
} satisfies { readonly [Key in keyof MoveReport]: z.ZodType<MoveReport[Key]> };

export const rebalanced = z.strictObject({ connections: count, ...report });

/** With a report if the connections were to move. */
export const drained = z.union([z.strictObject({ connections: count }), rebalanced]);

export const reopened = z.strictObject({ reopened: z.literal(true) });

export const logLevel = z.strictObject({ level: z.enum(LOG_LEVELS) });
