import { describe, expect, test } from "bun:test";
import type { LeadsBack } from "../../../plugins/shared/host_network.ts";
import { LoopGuard } from "../../../plugins/shared/loop_guard.ts";
import { CollectedLog } from "../../support/collected_log.ts";

const at = (port: number) => ({ hostname: "10.7.0.2", port });
const published = (port: number) => ({ hostname: "127.0.0.1", port });

/** Ports of the host from 8000 on lead to the stack's, 8000 lower. */
const back: LeadsBack = (_, { port }) => port > 8000 ? at(port - 8000) : undefined;

describe("LoopGuard", () => {
  // Said once for a target, refused each time.
  test("refuses a target that leads to where somebody has come", () => {
    const log = new CollectedLog();
    const guard = new LoopGuard(back);
    guard.arrived("tcp", at(80), log.logger);
    for (let i = 0; i < 3; i++) {
      expect(() => guard.requireWayOut("tcp", published(8080))).toThrow(
        "127.0.0.1:8080 leads back to 10.7.0.2:80, where it is used",
      );
    }
    guard.requireWayOut("tcp", published(8081));
    guard.requireWayOut("udp", published(8080));
    guard.requireWayOut("tcp", published(3000));
    expect(log.lines).toEqual(["warn target leads back to where it is used"]);
  });

  // Each target leads to where the other one is used: both would be taken in turn for ever.
  test("refuses targets that lead to each other's places", () => {
    const guard = new LoopGuard(back);
    const { logger } = new CollectedLog();
    const isRefused = (port: number) => {
      try {
        guard.requireWayOut("udp", published(port));
        return false;
      } catch {
        return true;
      }
    };
    guard.arrived("udp", at(53), logger);
    expect(isRefused(8054)).toBe(false);
    guard.arrived("udp", at(54), logger);
    expect([isRefused(8054), isRefused(8053)]).toEqual([true, false]);
    guard.arrived("udp", at(53), logger);
    expect([isRefused(8054), isRefused(8053)]).toEqual([true, true]);
  });

  // What was published may lead elsewhere by now.
  test("lets a target be that leads back no more", () => {
    let leads = true;
    const guard = new LoopGuard((...asked) => leads ? back(...asked) : undefined);
    guard.arrived("tcp", at(80), new CollectedLog().logger);
    expect(() => guard.requireWayOut("tcp", published(8080))).toThrow("leads back");
    leads = false;
    guard.requireWayOut("tcp", published(8080));
  });
});
