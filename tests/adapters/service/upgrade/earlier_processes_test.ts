import { describe, expect } from "bun:test";
import { setImmediate } from "node:timers";
import { silentLogger } from "../../../../core/api/environment.ts";
import type { Metric } from "../../../../core/api/metrics/metric.ts";
import {
  MessageSocket,
  messageSocketPair,
} from "../../../../adapters/host/native/message_socket.ts";
import { nativeSockets } from "../../../../adapters/host/native/sockets.ts";
import { metricsMessages } from "../../../../adapters/service/metrics/earlier_metrics.ts";
import { sendControl } from "../../../../adapters/service/upgrade/control_messages.ts";
import { EarlierProcesses } from "../../../../adapters/service/upgrade/earlier_processes.ts";
import { testRequiring } from "../../../support/requirements.ts";

const READING: Metric = {
  name: "berth.binding.connections",
  kind: "counter",
  unit: "{connection}",
  description: "Connections.",
  points: [{ attributes: {}, value: 7 }],
};

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

describe("the earlier processes of a new process", () => {
  // The process that the new one replaces has the same channel, and would lose the messages that the new one
  // received.
  testRequiring(["native-sockets"], "are not received before it has taken over", async () => {
    const sockets = nativeSockets()!;
    const [ours, theirs] = messageSocketPair(sockets);
    const earlier = new EarlierProcesses(silentLogger);
    earlier.isRetired = true;
    earlier.add(sockets, { number: 1, pid: 4000 }, ours);
    const sender = MessageSocket.open(sockets, theirs, {
      maxWaiting: 1 << 20,
      onMessage() {},
      onClose() {},
    });
    for (const message of metricsMessages([READING])) sendControl(sender, message);
    sender.close();
    for (let i = 0; i < 100; i++) await turn();
    expect(earlier.metrics.all).toEqual([]);
    expect(earlier.running.length).toBe(1);
    earlier.isRetired = false;
    while (earlier.running.length > 0) await turn();
    expect(earlier.metrics.ended.map(({ points }) => points[0]!.value)).toEqual([7]);
  });
});
