import { describe, expect, test } from "bun:test";
import { seededRandom } from "../../../adapters/seeded_random.ts";
import { placeOf } from "../../../core/api/where.ts";
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

function listener(address: string | undefined, ports: string): Listener {
  return new Listener({ ...placeOf(ports, address), backlog: 1, decides: false });
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

  // A segment's destination is what counts; an address of its own comes before none.
  test("findListener looks at the address and port asked for", () => {
    const demux = new Demux(1);
    const [all, own] = [listener(undefined, "80"), listener("10.0.0.2", "80-81")];
    for (const one of [all, own]) demux.listeners.add(one, one);
    const [ip] = packetOf(connection(LOCAL, 1, 80));
    expect(demux.findListener(ip, 80)).toBe(own);
    expect(demux.findListener(ip, 81)).toBe(own);
    expect(demux.findListener(ip, 82)).toBe(undefined);
    ip.d3++;
    expect(demux.findListener(ip, 80)).toBe(all);
    expect(demux.findListener(ip, 81)).toBe(undefined);
  });
});
