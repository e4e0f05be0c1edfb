import { describe, expect, test } from "bun:test";
import type { Flow, FlowPort, FlowRefusal } from "../../../../core/udp/flow.ts";
import { decode, type SentMessage } from "../../../support/dsl/decode.ts";
import { encodeUdp } from "../../../support/dsl/encode.ts";
import { pattern } from "../../../support/packets.ts";
import { udpBinding, UdpHost } from "../../../support/udp_host.ts";

/** A stack with a flow port on 7, whose owner is the test. */
class RefusalTest extends UdpHost {
  readonly port: FlowPort = this.flowPort(udpBinding(7));

  /** Opens a flow with a datagram of `length` bytes; returns the flow and the packet. */
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
  // Types and codes of both families, sent from the destination of the datagram to its source.
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
    "sends the ICMP error for %s over IPv%d (RFC 792, RFC 1812 5.2.7.1, RFC 4443 3.1)",
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

  // What a flow keeps for an error is bounded: the headers and 64 bytes of data.
  test("quotes the beginning of the datagram that opened the flow (RFC 1122 3.2.2)", () => {
    const t = new RefusalTest();
    const { flow, packet } = t.begin("10.0.0.1", "10.0.0.2", 1400);
    t.datagram("10.0.0.1 1000", "10.0.0.2 7", pattern(3));
    expect(t.refuse(flow, "port")[0]!.body).toEqual(packet.subarray(0, 20 + 8 + 64));
    expect(t.drops()).toEqual({ "udp-unread": 2 });
  });

  // A handler reads one datagram and returns; the next handler refuses the rest.
  test("works for a flow that continues a finished one", () => {
    const t = new RefusalTest();
    const { flow, packet } = t.begin("10.0.0.1", "10.0.0.2", 5);
    t.datagram("10.0.0.1 1000", "10.0.0.2 7", pattern(3));
    flow.queue.shift();
    t.stack.udp.flows.finish(flow, t.now);
    expect(t.refuse(t.port.fresh.pop()!, "port")[0]!.body).toEqual(packet);
  });

  // No error is sent for a flow that has ended, or twice.
  test("only closes a flow that has ended", () => {
    const t = new RefusalTest();
    const { flow } = t.begin("10.0.0.1", "10.0.0.2", 5);
    t.stack.udp.flows.end(flow, "idle");
    expect(t.refuse(flow, "port")).toEqual([]);
    const { flow: other } = t.begin("10.0.0.1", "10.0.0.2", 5);
    expect(t.refuse(other, "port").length).toBe(1);
    expect(t.refuse(other, "port")).toEqual([]);
  });

  // The policy's limit of a thousand a second includes the errors about closed ports.
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
