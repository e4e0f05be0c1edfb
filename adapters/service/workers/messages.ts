/**
 * Messages between the main thread and the workers.
 *
 * @module
 */
import type { Metric } from "../../../core/api/metrics/metric.ts";
import type { ShardSeed } from "../../../core/stack/sharding/shard.ts";
import type { ConnectionPage, ConnectionRow, Selection } from "../admin/connections.ts";
import type { LinkImpairments } from "../../links/decorators/impair.ts";
import type { Device } from "../../links/tun/device.ts";
import type { PublishedPort } from "../publish/publish.ts";
import type { LogLevel } from "../log/logger.ts";
import type { Changes } from "../reload/changes.ts";
import type { Settings } from "../settings/settings.ts";
import type { StackIdentity } from "../upgrade/identity.ts";
import type { ShardInheritance, SharedShard } from "../upgrade/inheritance.ts";
import type { MailboxEnds } from "./mailboxes.ts";
import type { StreamEvent, StreamRequest } from "./streams.ts";
import type { WaitingLines, WorkerLine } from "./worker_log.ts";

/** Counters of a stack, as `stack.stats()` returns them. */
export type Counters = Readonly<Record<string, number>>;

/** The data that a worker starts with. The worker loads the plugins and sends `"loaded"`. */
export interface WorkerData {
  /** The settings, which are the same for every worker except for `publish`. */
  readonly settings: Settings;
  /** The number of the shard. */
  readonly index: number;
  /** Ports to the other shards. */
  readonly ends: MailboxEnds;
  /** The least severe level that is logged. */
  readonly logLevel: LogLevel;
  /** The number of lines of the worker that have not been written. */
  readonly waitingLines: WaitingLines;
}

/** A request of the main thread. */
export type WorkerRequest =
  /** Serve this queue; answered with `"serving"`. */
  | {
    readonly type: "serve";
    readonly queue: Device;
    readonly count: number;
    readonly seed: ShardSeed;
    readonly identity: StackIdentity;
    readonly inheritance?: ShardInheritance | undefined;
  }
  /** Answered with `"shared"`. */
  | { readonly type: "share" }
  /** Stop receiving the device's packets, so that another process receives them; answered with `"paused"`. */
  | { readonly type: "pause" }
  /** Hand over to the process at the other end of a channel; answered with `"retired"`. */
  | { readonly type: "retire"; readonly channel: number }
  /** Close published ports; answered with `"unpublished"`. */
  | { readonly type: "unpublish"; readonly listeners: readonly string[] }
  /** Resume everything that was handed over; answered with `"resumed"`. */
  | { readonly type: "resume" }
  /** Move connections to the process that has taken over; answered with `"moving"`. */
  | { readonly type: "move" }
  /** Accept clients at published ports; answered with `"begun"`. */
  | { readonly type: "begin" }
  /** Answered with `"idle"`. */
  | { readonly type: "idle" }
  /** Load another configuration; answered with `"prepared"`. */
  | { readonly type: "prepare"; readonly settings: Settings }
  /** Use or discard the loaded configuration; answered with `"changed"`. */
  | { readonly type: "change"; readonly apply: boolean }
  /** Answered with `"connections"`. */
  | { readonly type: "list" }
  /** Answered with `"selected"`. */
  | { readonly type: "select"; readonly selection: Selection }
  /** Look for a connection; answered with `"found"`. */
  | { readonly type: "find"; readonly id: string }
  /** Reset a connection; answered with `"reset"`. */
  | { readonly type: "reset"; readonly id: string }
  /** About a stream; only `"open"` and `"pull"` are answered. */
  | StreamRequest
  /** Answered with `"stopped"`. */
  | { readonly type: "stop-capture"; readonly id: string }
  /** Change the impairments of the link; answered with `"impaired"`. */
  | { readonly type: "impair"; readonly replacement: LinkImpairments | undefined }
  /** Stop accepting connections and continue with the open ones; answered with `"refusing"`. */
  | { readonly type: "refuse" }
  /** Answered with `"metrics"`. */
  | { readonly type: "measure" }
  /** Answered with `"counters"`. */
  | { readonly type: "count" }
  /** Change the least severe level that is logged; not answered. */
  | { readonly type: "log"; readonly level: LogLevel }
  /** Stop accepting connections; answered with `"drained"` when the open ones have ended or timed out. */
  | { readonly type: "drain" }
  /** End; answered with `"closed"`. */
  | { readonly type: "close" };

/** A message of a worker. */
export type WorkerEvent =
  | { readonly type: "line"; readonly line: WorkerLine }
  | { readonly type: "loaded" }
  | { readonly type: "serving"; readonly published: readonly PublishedPort[] }
  /** `refused` says why the configuration cannot be used. */
  | { readonly type: "prepared"; readonly refused?: Refused | undefined }
  | {
    readonly type: "changed";
    readonly changes?: Changes | undefined;
    readonly published: readonly PublishedPort[];
  }
  | { readonly type: "connections"; readonly connections: readonly ConnectionRow[] }
  | { readonly type: "selected"; readonly page: ConnectionPage }
  | { readonly type: "found"; readonly connection: ConnectionRow | undefined }
  | { readonly type: "reset"; readonly found: boolean }
  | StreamEvent
  | { readonly type: "stopped"; readonly found: boolean }
  | { readonly type: "impaired"; readonly impairments: LinkImpairments }
  | { readonly type: "refusing" }
  | { readonly type: "metrics"; readonly metrics: readonly Metric[] }
  | { readonly type: "shared"; readonly shard: SharedShard }
  | { readonly type: "paused" }
  | { readonly type: "retired" }
  | { readonly type: "unpublished" }
  | { readonly type: "resumed" }
  | { readonly type: "moving" }
  | { readonly type: "begun" }
  | { readonly type: "idle"; readonly isIdle: boolean }
  | { readonly type: "counters"; readonly counters: Counters }
  | { readonly type: "drained" }
  | { readonly type: "closed"; readonly counters: Counters }
  /** The worker has failed. */
  | { readonly type: "failed" } & Refused;

/** An error for another thread. */
export interface Refused {
  readonly message: string;
  /** Whether it is a `UsageError`. */
  readonly isUsage: boolean;
}
