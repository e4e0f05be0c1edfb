import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { FramePort } from "../../../adapters/links/ethernet/frame_port.ts";
import { ethernet } from "../../../adapters/links/ethernet/mod.ts";
import { FrameReader } from "../../../adapters/links/frame_reader.ts";
import { openQemuDgram } from "../../../adapters/links/qemu_dgram.ts";
import { openQemuStream } from "../../../adapters/links/qemu_stream.ts";
import { seededRandom } from "../../../adapters/runtime/seeded_random.ts";
import { createStack } from "../../../core/api/stack.ts";
import { echo } from "../../../plugins/echo.ts";
import { pattern, udpPacket } from "../../support/packets.ts";
import { Program } from "../../support/program.ts";
import { testRequiring } from "../../support/requirements.ts";
import { until } from "../../support/until.ts";
import { joinStations, receiveFrames, ROUTES } from "./ethernet/stations.ts";
import { outgoingFrame, packetFrame } from "./ethernet/wire.ts";
import { linkConformance } from "./link_conformance.ts";

const frame = packetFrame(udpPacket(ROUTES[0], pattern(100)));
let folder = "";
let sockets = 0;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "berth-qemu-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const socketPath = () => join(folder, `${sockets++}.sock`);

linkConformance("a stream of frames through a Unix socket", async () => {
  const path = socketPath();
  return await joinByStream(await openQemuStream({ listen: path }), path);
});

linkConformance("a stream of frames through TCP", async () => {
  const left = await openQemuStream({ listen: "127.0.0.1:0" });
  return await joinByStream(left, placeOf(left));
});

linkConformance("frames in UDP datagrams", async () => {
  const [left, right] = await openDgramPair();
  return joinStations(left, right);
});

async function joinByStream(left: FramePort, connect: string) {
  const right = await openQemuStream({ connect });
  await until(() => left.stats!()["peers"] === 1 && right.stats!()["peers"] === 1);
  return joinStations(left, right);
}

describe("openQemuStream", () => {
  // Four bytes of length in network byte order, then the frame.
  test("precedes each frame with its length", async () => {
    await using port = await openQemuStream({ listen: "127.0.0.1:0" });
    const peer = await connectTo(port);
    port.send(outgoingFrame(frame));
    port.send(outgoingFrame(frame));
    const expected = [...behindLength(frame), ...behindLength(frame)];
    expect([...await peer.heard(expected.length)]).toEqual(expected);
    peer.socket.destroy();
  });

  // A restarted guest can connect again.
  test("accepts another peer after the first has gone", async () => {
    await using port = await openQemuStream({ listen: "127.0.0.1:0" });
    const first = await connectTo(port);
    const second = createConnection(Number(placeOf(port).split(":")[1]), "127.0.0.1");
    await new Promise<void>((resolve) => second.once("close", () => resolve()));
    first.socket.destroy();
    await until(() => !port.send(outgoingFrame(frame)));
    const third = await connectTo(port, 2);
    third.socket.write(behindLength(frame));
    expect(await receiveFrames(port, 1)).toEqual([frame]);
    expect(port.stats!()).toEqual({ "peers": 2, "drop.second-peer": 1, "drop.no-peer": 1 });
    third.socket.destroy();
  });

  // A peer with another protocol is disconnected, and the port stays usable.
  test("closes a stream with an invalid frame length", async () => {
    await using port = await openQemuStream({ listen: "127.0.0.1:0" });
    const peer = await connectTo(port);
    peer.socket.write("GET / HTTP/1.0\r\n\r\n");
    await new Promise<void>((resolve) => peer.socket.once("close", () => resolve()));
    expect(port.stats!()).toEqual({ "peers": 1, "drop.framing": 1 });
  });

  // The send queue is bounded.
  test("drops frames that the peer does not read", async () => {
    await using port = await openQemuStream({ listen: "127.0.0.1:0" });
    const peer = await connectTo(port);
    peer.socket.pause();
    let sent = 0;
    for (; sent < 100_000 && port.send(outgoingFrame(frame)); sent++) {
      if (sent % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(sent).toBeLessThan(100_000);
    expect(port.stats!()).toMatchObject({ "drop.busy": 1 });
    peer.socket.destroy();
  });

  // One small frame per turn, as a stack sends retransmissions: each is queued by itself.
  test("holds no more memory than the queued bytes", async () => {
    await using port = await openQemuStream({ listen: socketPath() });
    const peer = await connectTo(port);
    peer.socket.pause();
    // The kernel's buffer does not count.
    for (let i = 0; i < 4000; i++) {
      port.send(outgoingFrame(frame));
      if (i % 40 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 2000; i++) {
      port.send(outgoingFrame(frame));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(32 * 1024 * 1024);
    peer.socket.destroy();
  });

  // Each message says what is valid; a port in use has its own code.
  test("refuses invalid options", async () => {
    const refused = (options: Parameters<typeof openQemuStream>[0]) =>
      openQemuStream(options).then(() => "opened", ({ message }) => message);
    expect(await refused({})).toBe("openQemuStream needs one of listen and connect");
    expect(await refused({ listen: "5555" })).toContain("listen: expected an address such as");
    expect(await refused({ listen: "127.0.0.1:0", mtu: 1 })).toContain(
      "mtu must be an integer",
    );
    await using taken = await openQemuStream({ listen: "127.0.0.1:0" });
    const again = openQemuStream({ listen: placeOf(taken) });
    expect(await again.catch(({ code }) => code)).toBe("ADDRESS_IN_USE");
  });

  // A socket file left by a killed program, or another file.
  test("does not remove an existing file at its socket's path", async () => {
    const path = socketPath();
    writeFileSync(path, "mine");
    expect(await openQemuStream({ listen: path }).catch(({ message }) => message)).toBe(
      `SocketError: ${path} already exists: remove it unless a program listens on it`,
    );
    expect(readFileSync(path, "utf8")).toBe("mine");
  });
});

describe("openQemuDgram", () => {
  // Each datagram is a whole frame.
  test("carries frames, and drops those from other sources", async () => {
    const [left, right, place] = await openDgramPair();
    await using _left = left;
    await using _right = right;
    left.send(outgoingFrame(frame));
    expect(await receiveFrames(right, 1)).toEqual([frame]);
    await using other = await openQemuDgram({ local: "127.0.0.1:0", remote: place });
    other.send(outgoingFrame(frame));
    await until(() => right.stats!()["drop.remote"] === 1);
  });
});

describe("FrameReader", () => {
  // Chunk boundaries do not matter; frames that are too large are skipped.
  test("reassembles frames from chunks of any size", () => {
    const random = seededRandom(3);
    const sizes = [1, 1514, 60, 1515, 69_632, 14, 1500];
    const frames = sizes.map((size) => pattern(size, size));
    const stream = new Uint8Array(frames.flatMap((each) => [...behindLength(each)]));
    for (let round = 0; round < 50; round++) {
      const got: Uint8Array[] = [];
      let tooLarge = 0;
      let isStream = true;
      const reader = new FrameReader(1514, (each) => got.push(each.slice()), () => tooLarge++);
      const most = 1 + Math.floor(random.fraction() ** 4 * 80_000);
      for (let at = 0; at < stream.length;) {
        const end = at + 1 + Math.floor(random.fraction() * most);
        isStream &&= reader.take(stream.subarray(at, end));
        at = end;
      }
      expect(got).toEqual(frames.filter(({ length }) => length <= 1514));
      expect([isStream, tooLarge]).toEqual([true, 2]);
    }
  });

  // Zero, and more than QEMU's limit.
  test.each([0, 0x1_1001, 0xffff_ffff])("refuses the length %i", (length) => {
    const reader = new FrameReader(1514, () => {}, () => {});
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, length);
    expect(reader.take(bytes)).toBe(false);
  });
});

describe("QEMU", () => {
  // A hub without a machine forwards frames between the stream and the datagrams.
  testRequiring(["program:qemu-system-x86_64"], "joins a stream and datagrams", async () => {
    const path = socketPath();
    const stream = await openQemuStream({ listen: path });
    const [dgram, near, far] = await openDgramForQemu();
    const inet = (which: string, place: string) => {
      const [host, port] = place.split(":");
      return `${which}.type=inet,${which}.host=${host},${which}.port=${port}`;
    };
    const qemu = new Program([
      ...["qemu-system-x86_64", "-M", "none", "-nodefaults", "-display", "none"],
      ...["-netdev", `stream,id=s,server=off,addr.type=unix,addr.path=${path}`],
      ...["-netdev", `dgram,id=d,${inet("local", far)},${inet("remote", near)}`],
      ...["-netdev", "hubport,id=h1,hubid=0,netdev=s", "-netdev", "hubport,id=h2,hubid=0,netdev=d"],
    ], folder);
    const here = ["10.0.0.1/24", "fd00::1/64"];
    const there = ["10.0.0.2/24", "fd00::2/64"];
    await using server = createStack({
      link: ethernet(stream, { addresses: here, probe: false }),
      addresses: here,
    });
    await using client = createStack({
      link: ethernet(dgram, { addresses: there, probe: false }),
      addresses: there,
    });
    try {
      server.use(7, echo());
      await until(() => server.stats()["link.peers"] === 1);
      for (const address of ["10.0.0.1:7", "[fd00::1]:7"]) {
        await using socket = client.connect(address);
        const sent = pattern(100_000);
        void socket.write(sent).then(() => socket.closeWrite());
        const got: number[] = [];
        for await (const chunk of socket) got.push(...chunk);
        expect(new Uint8Array(got)).toEqual(sent);
      }
    } finally {
      await qemu.kill();
    }
  }, 20_000);
});

/** Connects a peer to a stream port. */
async function connectTo(port: FramePort, peers = 1): Promise<Peer> {
  const place = placeOf(port);
  const [host, number] = place.split(":");
  const socket = place.includes("/") ? createConnection(place) : createConnection(+number!, host);
  const peer = new Peer(socket);
  await until(() => port.stats!()["peers"] === peers);
  return peer;
}

class Peer {
  readonly socket: Socket;
  #bytes: number[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("error", () => {});
    socket.on("data", (chunk: Uint8Array) => this.#bytes.push(...chunk));
  }

  async heard(count: number): Promise<Uint8Array> {
    await until(() => this.#bytes.length >= count);
    return new Uint8Array(this.#bytes);
  }
}

/** Address of a listening port. */
function placeOf(port: FramePort): string {
  return port.name.replace("QEMU at ", "");
}

/**
 * Ports of 127.0.0.1 that are free for TCP, and most likely for UDP: on Deno a port of `node:dgram` is
 * still taken when it reports that it has closed.
 */
async function freePorts(count: number): Promise<string[]> {
  const holders = await Promise.all(Array.from({ length: count }, () => {
    const server = createServer();
    return new Promise<Server>((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
  }));
  const places = holders.map((each) => `127.0.0.1:${(each.address() as { port: number }).port}`);
  for (const each of holders) await new Promise<void>((resolve) => each.close(() => resolve()));
  return places;
}

async function openDgramForQemu(): Promise<[FramePort, near: string, far: string]> {
  const [near, far] = await freePorts(2) as [string, string];
  return [await openQemuDgram({ local: near, remote: far }), near, far];
}

async function openDgramPair(): Promise<[FramePort, FramePort, near: string]> {
  const [left, near, far] = await openDgramForQemu();
  return [left, await openQemuDgram({ local: far, remote: near }), far];
}

function behindLength(bytes: Uint8Array): Uint8Array {
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, bytes.length);
  return new Uint8Array([...length, ...bytes]);
}
