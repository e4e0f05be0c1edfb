import { describe, expect, test } from "bun:test";
import type { Flow, FlowPort, FlowRefusal } from "../../../../core/udp/flow.ts";
import { decode, type SentMessage } from "../../../support/dsl/decode.ts";
import { encodeUdp } from "../../../support/dsl/encode.ts";
import { pattern } from "../../../support/packets.ts";
import { UdpHost, udpPlace } from "../../../support/udp_host.ts";

/** A port with plugins on 7, of which the test is the host. */
class RefusalTest extends UdpHost {
  readonly port: FlowPort = this.flowPort(udpPlace(7));

  /** Begins a flow with a datagram of that many bytes; returns the packet too. */
  begin(from: string, to: string, length: number): { flow: Flow; packet: Uint8Array } {
    const packet = encodeUdp(from, to, 1000, 7, pattern(length));
    this.receive(packet);
    return { flow: this.port.fresh.pop()!, packet };
  }

  refuse(flow: Flow, why: FlowRefusal): SentMessage[] {
    this.stack.udp.refuseFlow(flow, why, this.now);
    return this.sent().map((packet) => decode(packet) as SentMessage);
  }
}

describe("refuseFlow", () => {
  // The words of both families; from the address that was asked, to who has asked.
  test.each(
    [
      ["port", 4, 3, 3],
      ["host", 4, 3, 1],
      ["prohibited", 4, 3, 13],
      ["port", 6, 1, 4],
      ["host", 6, 1, 3],
      ["prohibited", 6, 1, 1],
    ] as const,
  )(
    "says %s over IPv%d by ICMP (RFC 792, RFC 1812 5.2.7.1, RFC 4443 3.1)",
    (why, v, type, code) => {
      const t = new RefusalTest();
      const [peer, own] = v === 4 ? ["10.0.0.1", "10.0.0.2"] : ["fd00::1", "fd00::2"];
      const { flow, packet } = t.begin(peer, own, 5);
      const [error, ...more] = t.refuse(flow, why);
      expect(more).toEqual([]);
      expect(error).toMatchObject({ source: own, destination: peer, type, code, rest: 0 });
      expect(error!.body).toEqual(packet);
      expect(t.stack.stats.errorsSent).toBe(1);
      expect(t.stack.udp.flows.table.count).toBe(0);
    },
  );

  // What a flow keeps for an error is bounded: the headers, and 64 bytes of the largest datagram.
  test("quotes the beginning of the datagram that began the flow (RFC 1122 3.2.2)", () => {
    const t = new RefusalTest();
    const { flow, packet } = t.begin("10.0.0.1", "10.0.0.2", 1400);
    t.datagram("10.0.0.1 1000", "10.0.0.2 7", pattern(3));
    expect(t.refuse(flow, "port")[0]!.body).toEqual(packet.subarray(0, 20 + 8 + 64));
    expect(t.drops()).toEqual({ "udp-unread": 2 });
  });

  // A handler that takes one datagram and is done: the next one refuses the rest.
  test("speaks for a flow that goes on after another too", () => {
    const t = new RefusalTest();
    const { flow, packet } = t.begin("10.0.0.1", "10.0.0.2", 5);
    t.datagram("10.0.0.1 1000", "10.0.0.2 7", pattern(3));
    flow.queue.shift();
    t.stack.udp.flows.finish(flow, t.now);
    expect(t.refuse(t.port.fresh.pop()!, "port")[0]!.body).toEqual(packet);
  });

  // Nothing is said of what is over, and nothing twice.
  test("of a flow that has ended only closes it", () => {
    const t = new RefusalTest();
    const { flow } = t.begin("10.0.0.1", "10.0.0.2", 5);
    t.stack.udp.flows.end(flow, "idle");
    expect(t.refuse(flow, "port")).toEqual([]);
    const { flow: other } = t.begin("10.0.0.1", "10.0.0.2", 5);
    expect(t.refuse(other, "port").length).toBe(1);
    expect(t.refuse(other, "port")).toEqual([]);
  });

  // As many as the policy allows, with the errors about closed ports: a thousand a second.
  test("is limited in rate (RFC 4443 2.4)", () => {
    const t = new RefusalTest();
    let errors = 0;
    for (let i = 0; i < 1500; i++) {
      errors += t.refuse(t.begin("10.0.0.1", "10.0.0.2", 5).flow, "port").length;
    }
    expect(errors).toBe(1000);
    expect(t.datagram("10.0.0.1 1000", "10.0.0.2 9", pattern(1))).toEqual([]);
  });
});
