/**
 * Options of `forward`.
 *
 * @module
 */
import { z } from "zod";
import { count, milliseconds } from "../../core/api/numbers.ts";
import { keepAliveSchema, parseDialTarget } from "../shared/dial.ts";
import type { DialTarget } from "../shared/host_network.ts";

/** How targets are looked after, see {@link ForwardOptions.healthCheck}. */
export interface HealthCheckOptions {
  /** Milliseconds between two checks of a target. Default 5000. */
  intervalMs?: number | undefined;
  /** Milliseconds that a check may take. Default 2000. */
  timeoutMs?: number | undefined;
}

/** Options of `forward`. */
export interface ForwardOptions {
  /**
   * Where to: `"127.0.0.1:3000"`, `"[::1]:3000"` or `"name:3000"`, as the host resolves it, or
   * `"unix:/run/app.sock"`; or several of them.
   */
  to: string | readonly string[];
  /** Which of several targets is next. Default `"round-robin"`. */
  balance?: "round-robin" | "least-connections" | undefined;
  /** How long an attempt to connect to one target may take, in milliseconds. Default 10 000. */
  connectTimeoutMs?: number | undefined;
  /**
   * Milliseconds without a byte in either direction after which both sides are reset. Default:
   * connections may be idle for ever.
   */
  idleTimeoutMs?: number | undefined;
  /**
   * Milliseconds without a word from a target after which the host asks whether it is still there, and
   * ends the connection where it is not; 0: never. Default two hours.
   */
  keepAliveMs?: number | undefined;
  /**
   * Tells targets who the client is and what it has connected to, in front of its bytes: a header
   * of the PROXY protocol, version 1 or 2. Default none.
   */
  proxyProtocol?: 1 | 2 | undefined;
  /**
   * Connections to one target at once, attempts included; when every target has as many the client
   * that has the most makes room for others. Default 65 536.
   */
  maxConnections?: number | undefined;
  /**
   * Connects to each target at an interval, from the first connection on, and closes again. Default:
   * only attempts to forward show which targets are down.
   */
  healthCheck?: HealthCheckOptions | undefined;
  /** Failed attempts in a row after which a target is down and left out. Default 3. */
  unhealthyAfter?: number | undefined;
  /** Successful ones in a row after which it is up again. Default 2. */
  healthyAfter?: number | undefined;
  /** Without `healthCheck`: milliseconds after which a target that is down is tried again. Default 10 000. */
  retryAfterMs?: number | undefined;
}

/** {@link ForwardOptions}, checked and complete. */
export type CheckedForwardOptions = z.output<typeof forwardOptionsSchema>;

const TARGET_EXPECTED = "expected HOST:PORT such as 127.0.0.1:3000 or unix:PATH";

const targetsSchema = z.custom<string | readonly string[]>(
  (value) => typeof value === "string" || (Array.isArray(value) && value.length > 0),
  `${TARGET_EXPECTED}, or several`,
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
