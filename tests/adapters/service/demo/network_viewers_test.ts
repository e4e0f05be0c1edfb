import { describe, expect, test } from "bun:test";
import { DemoNetwork } from "../../../../adapters/demo_network/demo_network.ts";
import { VirtualClock } from "../../../../adapters/runtime/virtual_clock.ts";
import {
  MAX_DEMO_VIEWERS,
  NetworkViewers,
} from "../../../../adapters/service/demo/network_viewers.ts";

function viewersAtTime() {
  const clock = new VirtualClock();
  let created = 0;
  const viewers = new NetworkViewers(() => (created++, new DemoNetwork({ clock })), clock);
  return { clock, viewers, created: () => created };
}

describe("the demo network", () => {
  // No viewers: no packets.
  test("exists while it has viewers", async () => {
    const { clock, viewers, created } = viewersAtTime();
    expect(viewers.network).toBe(undefined);
    const [one, other] = [viewers.open()!, viewers.open()!];
    const reader = one.getReader();
    const next = reader.read();
    await clock.advance(100);
    expect(new TextDecoder().decode((await next).value)).toMatch(
      /^data: \{"seconds":0\.1,.*\}\n\n$/,
    );
    await reader.cancel();
    expect([created(), viewers.network !== undefined]).toEqual([1, true]);
    await other.cancel();
    expect(viewers.network).toBe(undefined);
    await clock.advance(10_000);
    expect(clock.pending).toBe(0);
    await viewers.open()!.cancel();
    expect(created()).toBe(2);
  });

  test("has a bounded number of viewers", async () => {
    const { viewers } = viewersAtTime();
    const streams = Array.from({ length: MAX_DEMO_VIEWERS }, () => viewers.open()!);
    expect(viewers.open()).toBe(undefined);
    await streams[3]!.cancel();
    expect(viewers.open()).not.toBe(undefined);
    viewers.close();
    expect(viewers.network).toBe(undefined);
  });

  // Samples without room are dropped.
  test("keeps at most two samples for a viewer that does not read", async () => {
    const { clock, viewers } = viewersAtTime();
    const reader = viewers.open()!.getReader();
    await clock.advance(5000);
    const seconds: number[] = [];
    for (let i = 0; i < 2; i++) {
      const { value } = await reader.read();
      seconds.push(JSON.parse(new TextDecoder().decode(value).slice("data: ".length)).seconds);
    }
    await clock.advance(100);
    const { value } = await reader.read();
    seconds.push(JSON.parse(new TextDecoder().decode(value).slice("data: ".length)).seconds);
    expect(seconds).toEqual([0.1, 0.2, 5.1]);
    viewers.close();
  });
});
