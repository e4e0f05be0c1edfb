/**
 * Options of `forward`.
 *
 * @module
 */
import { z } from "zod";
import { count, milliseconds } from "../../core/api/numbers.ts";
import { keepAliveSchema, parseDialTarget } from "../shared/dial.ts";
import type { DialTarget } from "../shared/host_network.ts";

/** See {@link ForwardOptions.healthCheck}. */
export interface HealthCheckOptions {
  /** Time between two checks of a target, in milliseconds. Default 5000. */
  intervalMs?: number | undefined;
  /** Timeout of a check, in milliseconds. Default 2000. */
  timeoutMs?: number | undefined;
}

/** Options of `forward`. */
export interface ForwardOptions {
  /**
   * One target or a list of them: `"127.0.0.1:3000"`, `"[::1]:3000"`, `"name:3000"`, which the host
   * resolves, or `"unix:/run/app.sock"`.
   */
  to: string | readonly string[];
  /** How the next target is chosen. Default `"round-robin"`. */
  balance?: "round-robin" | "least-connections" | undefined;
  /** Timeout of an attempt to connect to one target, in milliseconds. Default 10,000. */
  connectTimeoutMs?: number | undefined;
  /**
   * Milliseconds without a byte in either direction after which both sides are reset. Default: never.
   */
  idleTimeoutMs?: number | undefined;
  /**
   * Idle time before the host sends a keep-alive probe to the target, in milliseconds; a target that does
   * not answer ends the connection. 0: no probes. Default two hours.
   */
  keepAliveMs?: number | undefined;
  /**
   * Sends a header of the PROXY protocol, version 1 or 2, before the client's bytes: it tells the
   * target the client's address and the address that the client connected to. Default: none.
   */
  proxyProtocol?: 1 | 2 | undefined;
  /**
   * Maximum number of concurrent connections to one target, attempts included; when every target is
   * at the limit, the oldest one of the client that has the most is evicted in favour of other
   * clients. Default 65,536.
   */
  maxConnections?: number | undefined;
  /**
   * Connects to each target at an interval, from the first connection on, and closes again. Default: no
   * checks; only failed connections show that a target is down.
   */
  healthCheck?: HealthCheckOptions | undefined;
  /** Consecutive failures after which a target is down and not used. Default 3. */
  unhealthyAfter?: number | undefined;
  /** Consecutive successes after which it is up again. Default 2. */
  healthyAfter?: number | undefined;
  /** Without `healthCheck`: time until a target that is down is tried again, in milliseconds. Default 10,000. */
  retryAfterMs?: number | undefined;
}

/** {@link ForwardOptions}, checked and complete. */
export type CheckedForwardOptions = z.output<typeof forwardOptionsSchema>;

const TARGET_EXPECTED = "expected HOST:PORT such as 127.0.0.1:3000 or unix:PATH";

const targetsSchema = z.custom<string | readonly string[]>(
  (value) => typeof value === "string" || (Array.isArray(value) && value.length > 0),
  `${TARGET_EXPECTED}, or a list of them`,
).transform((given, c): DialTarget[] => {
  const texts: readonly unknown[] = typeof given === "string" ? [given] : given;
  return texts.flatMap((text) => {
    const target = typeof text === "string" ? parseDialTarget(text) : undefined;
    if (target === undefined) c.addIssue(`${TARGET_EXPECTED}, got ${JSON.stringify(text)}`);
    return target ?? [];
  });
});

/** Checks {@link ForwardOptions}. */
export const forwardOptionsSchema = z.strictObject({
  to: targetsSchema,
  balance: z.enum(["round-robin", "least-connections"]).default("round-robin"),
  connectTimeoutMs: milliseconds().default(10_000),
  idleTimeoutMs: milliseconds().optional(),
  keepAliveMs: keepAliveSchema,
  proxyProtocol: z.union([z.literal(1), z.literal(2)], "expected 1 or 2").optional(),
  maxConnections: count().default(65_536),
  healthCheck: z.strictObject({
    intervalMs: milliseconds().default(5000),
    timeoutMs: milliseconds().default(2000),
  }).optional(),
  unhealthyAfter: count().default(3),
  healthyAfter: count().default(2),
  retryAfterMs: milliseconds().default(10_000),
});
