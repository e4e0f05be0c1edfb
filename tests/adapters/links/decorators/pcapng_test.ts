import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "bun:test";
import { pcapng, type PcapngOptions } from "../../../../adapters/links/decorators/pcapng.ts";
import { linkPair } from "../../../../adapters/links/memory.ts";
import { VirtualClock } from "../../../../adapters/runtime/virtual_clock.ts";
import { type Link, OutgoingPacket, PacketBatch } from "../../../../core/stack/link.ts";
import { pattern, tcpPacket, udpPacket } from "../../../support/packets.ts";
import { testRequiring } from "../../../support/requirements.ts";
import { linkConformance } from "../link_conformance.ts";

const routes = [{ from: "10.0.0.1", to: "10.0.0.2" }, { from: "fd00::1", to: "fd00::2" }];
const [route, v6] = routes as [typeof routes[0], typeof routes[0]];
const back = { from: route.to, to: route.from };

linkConformance("a link that is recorded", () => {
  const [left, right] = linkPair({ maxSuperPacket: 65_535, checksumOffload: true });
  const joined = { left: pcapng(left), right: pcapng(right) };
  for (const link of [joined.left, joined.right]) link.record(() => {});
  return Promise.resolve({ ...joined, routes });
});

linkConformance("a link that could be recorded", () => {
  const [left, right] = linkPair({ maxSuperPacket: 65_535, checksumOffload: true });
  return Promise.resolve({ left: pcapng(left), right: pcapng(right), routes });
});

/** A recordable link, and the other end. */
function watched(options: PcapngOptions = {}) {
  const [inner, right] = linkPair({ maxSuperPacket: 65_535, checksumOffload: true });
  return { left: pcapng(inner, options), right };
}

function receive(link: Link): number {
  return link.receive(new PacketBatch(64));
}

function bytesOf(packet: OutgoingPacket): string {
  const bytes = new Uint8Array(packet.byteLength);
  packet.copyTo(bytes, 0);
  return bytes.toHex();
}

function hex(block: Uint8Array | undefined): string {
  return block?.toHex() ?? "";
}

describe("pcapng", () => {
  // Section header with the program's name; interface for raw IP with its name and a resolution of
  // 10^-9 s.
  test("starts a file with a section header and an interface description", () => {
    const blocks: Uint8Array[] = [];
    watched().left.record((block) => blocks.push(block));
    expect(blocks.map(hex)).toEqual([
      "0a0d0d0a" + "2c000000" + "4d3c2b1a" + "01000000" + "ffffffffffffffff" +
      "04000500" + "6265727468" + "000000" + "00000000" + "2c000000" +
      "01000000" + "30000000" + "65000000" + "00000000" +
      "02000b00" + "6d656d6f72792d6c656674" + "00" + "09000100" + "09000000" + "00000000" +
      "30000000",
    ]);
  });

  // Interface 0, the halves of the timestamp, the length twice, the packet, its direction.
  test("writes a block for each packet in both directions", async () => {
    const clock = new VirtualClock();
    const blocks: Uint8Array[] = [];
    const { left, right } = watched({ clock, epochMs: 7_000 });
    left.record((block) => blocks.push(block));
    left.send(udpPacket(route, pattern(4)));
    receive(left);
    const [sent, answer] = [udpPacket(route, pattern(3)), udpPacket(back, pattern(4))];
    await clock.advance(1.5);
    left.send(sent);
    await clock.advance(2000);
    right.send(answer);
    receive(left);
    expect(blocks.slice(2).map(hex)).toEqual([
      "06000000" + "4c000000" + "00000000" + "01000000" + stampLow(7_001_500_000) + "1f000000" +
      "1f000000" + bytesOf(sent) + "00" + "02000400" + "02000000" + "00000000" + "4c000000",
      "06000000" + "4c000000" + "00000000" + "02000000" + stampLow(9_001_500_000) + "20000000" +
      "20000000" + bytesOf(answer) + "02000400" + "01000000" + "00000000" + "4c000000",
    ]);
  });

  // Packets that the link drops were never on the wire; without a recording, packets just pass
  // through.
  test("records only packets sent during the recording", async () => {
    const blocks: Uint8Array[] = [];
    const { left, right } = watched();
    left.send(udpPacket(route, pattern(1)));
    const recording = left.record((block) => blocks.push(block));
    left.send(udpPacket(route, pattern(2)));
    recording.stop();
    left.send(udpPacket(route, pattern(3)));
    expect(blocks.length).toBe(2);
    const again: Uint8Array[] = [];
    left.record((block) => again.push(block));
    await right.close();
    await left.close();
    expect(left.send(udpPacket(route, pattern(4)))).toBe(false);
    expect(again.length).toBe(1);
  });

  // The recording must not affect connections.
  test("a writer that throws ends only its own recording", () => {
    const blocks: Uint8Array[] = [];
    const { left } = watched();
    const broken = left.record((block) => {
      if (block.length < 100 || block[0] === 6) throw new Error("disk full");
    });
    const healthy = left.record((block) => blocks.push(block));
    expect(left.send(udpPacket(route, pattern(1)))).toBe(true);
    expect(left.send(udpPacket(route, pattern(2)))).toBe(true);
    expect((broken.failure as Error).message).toBe("disk full");
    expect(healthy.failure).toBe(undefined);
    expect(blocks.length).toBe(3);
  });

  // The callback names connections; the first packet of each has a comment.
  test("comments on the first packet of each connection", () => {
    const blocks: Uint8Array[] = [];
    const { left, right } = watched({
      nameConnection: ({ transport, local, remote }) =>
        `${transport}, ${local.hostname} is here, ${remote.hostname} there`,
    });
    left.record((block) => blocks.push(block));
    const SYN = 0x02;
    right.send(tcpPacket(back, pattern(0), 0, SYN));
    receive(left);
    left.send(tcpPacket(route, pattern(5)));
    left.send(udpPacket(v6, pattern(5)));
    left.send(udpPacket(v6, pattern(6)));
    right.send(tcpPacket(back, pattern(0), 0, SYN));
    receive(left);
    const text = (block: Uint8Array) => /\w+ [^ ]+ > .*there/.exec(new TextDecoder().decode(block));
    expect(blocks.slice(1).map((block) => text(block)?.[0])).toEqual([
      "tcp 10.0.0.2:4242 > 10.0.0.1:4242 tcp, 10.0.0.1 is here, 10.0.0.2 there",
      undefined,
      "udp [fd00::1]:4242 > [fd00::2]:4242 udp, fd00::1 is here, fd00::2 there",
      undefined,
      "tcp 10.0.0.2:4242 > 10.0.0.1:4242 tcp, 10.0.0.1 is here, 10.0.0.2 there",
    ]);
  });

  // A port scan must not use unbounded memory: the oldest of 65,536 is forgotten.
  test("remembers a bounded number of connections", () => {
    let named = 0;
    const { left, right } = watched({ nameConnection: () => void named++ });
    left.record(() => {});
    const batch = new PacketBatch(64);
    const from = (port: number) => {
      const packet = udpPacket(route, pattern(1));
      const ip = packet.header.subarray(OutgoingPacket.HEADROOM);
      ip.set([port >> 8, port & 255], 20);
      ip[19]! += port > 0xffff ? 7 : 0;
      ip[11]! -= port > 0xffff ? 7 : 0;
      left.send(packet);
      right.receive(batch);
    };
    for (let port = 0; port < 65_536; port++) from(port);
    expect(named).toBe(65_536);
    from(0);
    expect(named).toBe(65_536);
    from(65_537);
    from(1);
    expect(named).toBe(65_537);
    from(0);
    expect(named).toBe(65_538);
  }, 20_000);

  // A link can deliver arbitrary bytes.
  test("records packets that are not IP", () => {
    const blocks: Uint8Array[] = [];
    const { left, right } = watched({ nameConnection: () => "never" });
    left.record((block) => blocks.push(block));
    for (const size of [1, 19, 20, 27]) {
      const packet = udpPacket(route, pattern(0));
      packet.headerLength = size;
      right.send(packet);
    }
    expect(receive(left)).toBe(4);
    expect(blocks.length).toBe(5);
  });

  // Timestamps, directions, comments and checksums as Wireshark reads them.
  testRequiring(["program:tshark"], "writes files that tshark can read", async () => {
    const clock = new VirtualClock();
    const blocks: Uint8Array[] = [];
    const { left, right } = watched({ clock, epochMs: 1.7e12, nameConnection: () => "the name" });
    left.record((block) => blocks.push(block));
    left.send(tcpPacket(route, pattern(3000), 1000));
    await clock.advance(1500.000001);
    right.send(tcpPacket({ from: v6.to, to: v6.from }, pattern(10)));
    receive(left);
    left.send(tcpPacket(route, pattern(1)));
    const folder = mkdtempSync(join(tmpdir(), "berth-"));
    try {
      const file = join(folder, "test.pcapng");
      writeFileSync(file, Buffer.concat(blocks));
      const fields = ["frame.time_epoch", "frame.interface_name", "frame.packet_flags_direction"]
        .concat("frame.comment", "ip.src", "ipv6.src", "tcp.len", "tcp.checksum.status")
        .flatMap((field) => ["-e", field]);
      const { stdout } = await promisify(execFile)("tshark", [
        ...["-r", file, "-o", "tcp.check_checksum:TRUE", "-T", "fields", "-E", "separator=|"],
        ...fields,
      ]);
      const GOOD = "1";
      expect(stdout.trimEnd().split("\n")).toEqual([
        "1700000000.000000000|memory-left|0x00000002|" +
        `tcp 10.0.0.1:4242 > 10.0.0.2:4242 the name|10.0.0.1||3000|${GOOD}`,
        "1700000001.500000000|memory-left|0x00000001|" +
        `tcp [fd00::2]:4242 > [fd00::1]:4242 the name||fd00::2|10|${GOOD}`,
        `1700000001.500000000|memory-left|0x00000002||10.0.0.1||1|${GOOD}`,
      ]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  }, 30_000);
});

/** The low half of a timestamp in nanoseconds, as in the file. */
function stampLow(nanoseconds: number): string {
  return new Uint8Array(new Uint32Array([nanoseconds % 2 ** 32]).buffer).toHex();
}
