/**
 * What the main thread and the workers say to each other.
 *
 * @module
 */
import type { Device } from "../../links/tun/device.ts";
import type { PublishedPort } from "../publish/publish.ts";
import type { Settings } from "../settings/settings.ts";
import type { MailboxEnds } from "./mailboxes.ts";

/** Counters of a stack, as `stack.stats()` has them. */
export type Counters = Readonly<Record<string, number>>;

/** What a worker is started with. It loads the plugins and says `"loaded"`. */
export interface WorkerData {
  /** The same for every worker, but for `publish`. */
  readonly settings: Settings;
  /** The shard. */
  readonly index: number;
  /** The way to the other shards. */
  readonly ends: MailboxEnds;
}

/** What the main thread asks for. */
export type WorkerRequest =
  /** Serve this queue; answered with `"serving"`. */
  | {
    readonly type: "serve";
    readonly queue: Device;
    readonly count: number;
    readonly seed: number;
  }
  /** Answered with `"counters"`. */
  | { readonly type: "count" }
  /** Take no new connections; answered with `"drained"` when the others are finished or overdue. */
  | { readonly type: "drain" }
  /** End; answered with `"closed"`. */
  | { readonly type: "close" };

/** What a worker answers. */
export type WorkerEvent =
  | { readonly type: "loaded" }
  | { readonly type: "serving"; readonly published: readonly PublishedPort[] }
  | { readonly type: "counters"; readonly counters: Counters }
  | { readonly type: "drained" }
  | { readonly type: "closed"; readonly counters: Counters }
  /** It cannot go on. */
  | { readonly type: "failed"; readonly message: string; readonly isUsage: boolean };
