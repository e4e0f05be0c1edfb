import { describe, expect, test } from "bun:test";
import { seededRandom } from "../../../adapters/seeded_random.ts";
import { Demux } from "../../../core/stack/demux.ts";
import { Listener } from "../../../core/stack/listener.ts";
import type { Tcb } from "../../../core/tcp/tcb.ts";
import { IpAddress } from "../../../core/wire/address.ts";
import { IpHeader } from "../../../core/wire/ip.ts";
import { Segment } from "../../../core/wire/tcp.ts";

const LOCAL = IpAddress.parse("10.0.0.2")!;

/** What the table looks at of a connection. */
function connection(remote: IpAddress, remotePort: number, localPort: number): Tcb {
  return { local: LOCAL, localPort, remote, remotePort, hash: 0 } as unknown as Tcb;
}

/** The header and segment that belong to a connection. */
function packetOf({ local, localPort, remote, remotePort }: Tcb): [IpHeader, Segment] {
  const ip = new IpHeader();
  [ip.s0, ip.s1, ip.s2, ip.s3] = [remote.w0, remote.w1, remote.w2, remote.w3];
  [ip.d0, ip.d1, ip.d2, ip.d3] = [local.w0, local.w1, local.w2, local.w3];
  const segment = new Segment();
  segment.sourcePort = remotePort;
  segment.destinationPort = localPort;
  return [ip, segment];
}

function listener(address: string | undefined, port: number): Listener {
  const parsed = address === undefined ? undefined : IpAddress.parse(address);
  return new Listener({ address: parsed, port, backlog: 1, decides: false });
}

describe("Demux", () => {
  // Neighbouring addresses and ports, more of them than there are buckets at first.
  test("finds each connection by its addresses and ports (RFC 9293 3.3.1)", () => {
    const random = seededRandom(1);
    const demux = new Demux(random.uint32());
    const all: Tcb[] = [];
    for (let host = 1; host <= 40; host++) {
      const v4 = IpAddress.parse(`10.0.0.${host + 10}`)!;
      const v6 = IpAddress.parse(`fd00::${host}`)!;
      for (let port = 1; port <= 25; port++) {
        all.push(connection(v4, port, 80), connection(v6, 80, port));
      }
    }
    for (const tcb of all) demux.add(tcb);
    expect(demux.count).toBe(2000);
    expect(new Set(demux.connections()).size).toBe(2000);
    for (const tcb of all) {
      expect(demux.find(...packetOf(tcb)) === tcb).toBe(true);
      expect(demux.get(LOCAL, tcb.localPort, tcb.remote, tcb.remotePort) === tcb).toBe(true);
    }
    const gone = all.filter(() => random.fraction() < 0.5);
    for (const tcb of gone) demux.remove(tcb);
    const left = new Set(all).difference(new Set(gone));
    expect(demux.count).toBe(left.size);
    for (const tcb of all) {
      expect(demux.find(...packetOf(tcb)) === tcb).toBe(left.has(tcb));
    }
    // What is not there is not removed twice.
    demux.remove(gone[0]!);
    expect(demux.count).toBe(left.size);
  });

  // An address of its own is more specific than none, in whatever order they came.
  test("findListener prefers the listener of one address", () => {
    for (const order of [0, 1]) {
      const demux = new Demux(1);
      const pair = [listener(undefined, 80), listener("10.0.0.2", 80)] as const;
      for (const i of [order, 1 - order]) expect(demux.addListener(pair[i]!)).toBe(true);
      const [toOwn] = packetOf(connection(LOCAL, 1, 80));
      expect(demux.findListener(toOwn, 80)).toBe(pair[1]);
      const [toOther] = packetOf(connection(LOCAL, 1, 80));
      toOther.d3++;
      expect(demux.findListener(toOther, 80)).toBe(pair[0]);
      expect(demux.findListener(toOwn, 81)).toBe(undefined);
      demux.removeListener(pair[1]);
      expect(demux.findListener(toOwn, 80)).toBe(pair[0]);
      demux.removeListener(pair[0]);
      expect(demux.hasListener(80)).toBe(false);
    }
  });

  test("addListener refuses the same address and port twice", () => {
    const demux = new Demux(1);
    expect(demux.addListener(listener("10.0.0.2", 80))).toBe(true);
    expect(demux.addListener(listener("10.0.0.2", 80))).toBe(false);
    expect(demux.addListener(listener("10.0.0.3", 80))).toBe(true);
    expect(demux.addListener(listener(undefined, 80))).toBe(true);
    expect(demux.addListener(listener(undefined, 80))).toBe(false);
    expect(demux.listeners().length).toBe(3);
  });
});
