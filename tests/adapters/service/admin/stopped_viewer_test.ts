import { connect, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "bun:test";
import { Follower, MAX_WAITING } from "../../../../adapters/service/admin/event_hub.ts";
import { type Clock, silentLogger } from "../../../../core/api/environment.ts";
import { macrotask } from "../../../../core/api/runtime/macrotask.ts";
import {
  DASHBOARD_TOKEN,
  type DashboardOptions,
  TestDashboard,
} from "../../../support/dashboard.ts";
import { fakeConnection } from "../../../support/fake_connection.ts";
import { TemporaryFolder } from "../../../support/temporary_folder.ts";

const LINES = 40_000;
/** Text for long log lines, to fill the buffers of sockets. */
const FILLING = "x".repeat(1000);
/** More than the buffers of the sockets and of the HTTP server hold. */
const MAX_BUFFERED = 24 * 1024 * 1024;

let sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  sockets = [];
});

/** A clock that advances as soon as something waits for it. */
function hastyClock(): Clock {
  let now = 0;
  return {
    now: () => now,
    schedule(at, wake) {
      const timer = setTimeout(() => {
        now = Math.max(now, at);
        wake();
      }, 0);
      return () => clearTimeout(timer);
    },
  };
}

/** A viewer on a socket that reads only when it is told to. */
class Viewer {
  #text = "";
  readonly #socket: Socket;

  constructor(dashboard: TestDashboard, { socket }: DashboardOptions, target: string) {
    const { hostname, port } = new URL(dashboard.origin);
    this.#socket = socket === undefined ? connect(Number(port), hostname) : connect(socket);
    sockets.push(this.#socket);
    // The service ends while the viewer is connected.
    this.#socket.on("error", () => {});
    this.#socket.pause();
    const fields = `Host: ${hostname}\r\nAuthorization: Bearer ${DASHBOARD_TOKEN}`;
    this.#socket.write(`GET ${target} HTTP/1.1\r\n${fields}\r\n\r\n`);
  }

  /** Reads until the answer has this. */
  async reads(expected: RegExp): Promise<string> {
    this.#socket.on("data", (chunk: Uint8Array) => this.#text += new TextDecoder().decode(chunk));
    this.#socket.resume();
    while (!expected.test(this.#text)) await macrotask();
    return this.#text;
  }
}

/** Lets everything happen that does not wait for the viewer. */
async function settled(value: () => number): Promise<number> {
  for (let same = 0, before = -1; same < 300; same++) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    if (value() !== before) same = 0;
    before = value();
  }
  return value();
}

/** The dashboard at a TCP port and at a Unix socket. */
const places = (folder: TemporaryFolder): readonly DashboardOptions[] => [
  { clock: hastyClock() },
  { clock: hastyClock(), socket: folder.file("admin") },
];

describe("a viewer that stops reading", () => {
  // Lines beyond the bound are dropped, oldest first, and the viewer is told how many when it reads again.
  test("has a bounded queue of log lines", async () => {
    using folder = new TemporaryFolder();
    for (const place of places(folder)) {
      const stats = () => ({ connections: 0 });
      await using dashboard = await TestDashboard.open({ connections: () => [], stats }, place);
      const followers: Follower[] = [];
      const follow = dashboard.events.follow.bind(dashboard.events);
      dashboard.events.follow = () => {
        const follower = follow();
        if (follower !== undefined) followers.push(follower);
        return follower;
      };
      const log = dashboard.events.wrap(silentLogger);
      const viewer = new Viewer(dashboard, place, "/events");
      while (followers.length === 0) await macrotask();
      let most = 0;
      for (let line = 1; line <= LINES; line++) {
        log.info(`line ${line}`, { filling: FILLING });
        if (line % 50 === 0) await macrotask();
        most = Math.max(most, followers[0]!.waiting);
      }
      // The buffers were full long before the end.
      expect(most).toBe(MAX_WAITING);
      const text = await viewer.reads(new RegExp(`line ${LINES}"`));
      const read = text.match(/"line \d+"/g)!.length;
      const dropped = [...text.matchAll(/event: dropped\ndata: (\d+)/g)]
        .reduce((sum, [, count]) => sum + Number(count), 0);
      expect(dropped).toBeGreaterThan(0);
      expect(read + dropped).toBe(LINES);
    }
  }, 60_000);

  // An update is made when the previous one has been read, so a viewer that stops reading gets only what the buffers
  // hold.
  test("gets no more updates until it reads again", async () => {
    using folder = new TemporaryFolder();
    const connections = Array.from({ length: 200 }, (_, port) => fakeConnection({ port }));
    for (const place of places(folder)) {
      let made = 0;
      const stats = () => ({ connections: ++made });
      await using dashboard = await TestDashboard.open(
        { connections: () => connections, stats },
        place,
      );
      const viewer = new Viewer(dashboard, place, "/live?limit=200&everyMs=100");
      while (made === 0) await macrotask();
      const held = await settled(() => made);
      const each = JSON.stringify(connections.map((one) => one.stats())).length;
      expect(held * each).toBeLessThan(MAX_BUFFERED);
      await viewer.reads(new RegExp(`"connections":${held + 20}\\b`));
      expect(dashboard.live.viewers).toBe(1);
    }
  }, 60_000);
});
