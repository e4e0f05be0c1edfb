import { describe, expect, test } from "bun:test";
import { MoveIn } from "../../../../adapters/service/moves/move_in.ts";
import { MoveOut, type MoveReport } from "../../../../adapters/service/moves/move_out.ts";
import {
  decodeMessage,
  encodeMessage,
  type MoveMessage,
} from "../../../../adapters/service/moves/messages.ts";
import { silentLogger } from "../../../../core/api/environment.ts";
import type { TcpSocket } from "../../../../core/api/types.ts";
import { echo } from "../../../../plugins/echo.ts";
import { SERVER, ThreeStacks } from "../../../core/api/moves/three_stacks.ts";

type Type = MoveMessage["type"];

/** Whether the channel ends before or after the receiver gets the message, or not at all. */
type BreaksAt = (type: Type, count: number) => "before" | "after" | undefined;

/** Two services whose channel is in memory and breaks at a message. */
class TwoServices implements AsyncDisposable {
  readonly net = new ThreeStacks({ profile: "internet" });
  readonly out: MoveOut;
  readonly incoming: MoveIn;
  readonly sent: Type[] = [];
  #isBroken = false;
  readonly #breaksAt: BreaksAt;

  constructor(breaksAt: BreaksAt = () => undefined) {
    const [first, second] = this.net.servers;
    this.#breaksAt = breaksAt;
    this.out = new MoveOut(first, (message) => this.#carry(message, "to receiver"), this.net.clock);
    this.incoming = new MoveIn(second, (message) => this.#carry(message, "back"), silentLogger);
    for (const server of this.net.servers) server.use(7, echo());
  }

  async connect(count: number): Promise<TcpSocket[]> {
    const sockets = Array.from({ length: count }, () => this.net.client.connect(`${SERVER}:7`));
    for (const socket of sockets) await this.net.run(exchange(socket));
    return sockets;
  }

  /** Makes the receiver stop for some milliseconds before it handles a message. */
  stall(msBefore: (type: Type, count: number) => number): void {
    const receive = this.incoming.receive.bind(this.incoming);
    const counts: Partial<Record<Type, number>> = {};
    let busyUntil = 0;
    this.incoming.receive = (message) => {
      const { clock } = this.net;
      const count = counts[message.type] = (counts[message.type] ?? 0) + 1;
      busyUntil = Math.max(busyUntil, clock.now()) + msBefore(message.type, count);
      if (busyUntil <= clock.now()) return receive(message);
      clock.schedule(busyUntil, () => receive(message));
      return true;
    };
  }

  move(): Promise<MoveReport> {
    return this.net.run(this.out.move());
  }

  /** Numbers of connections of both. */
  get owned(): number[] {
    return this.net.servers.map((server) => server.connections().length);
  }

  #carry(message: MoveMessage, way: "to receiver" | "back"): boolean {
    if (this.#isBroken) return false;
    this.sent.push(message.type);
    const breaks = this.#breaksAt(
      message.type,
      this.sent.filter((it) => it === message.type).length,
    );
    const read = decodeMessage(encodeMessage(message))!;
    const target = way === "back" ? this.out : this.incoming;
    if (breaks !== "before") queueMicrotask(() => target.receive(read));
    if (breaks === undefined) return true;
    this.#isBroken = true;
    queueMicrotask(() => {
      this.out.end();
      this.incoming.end();
    });
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.net[Symbol.asyncDispose]();
  }
}

async function exchange(socket: TcpSocket): Promise<void> {
  await socket.write(new Uint8Array([1, 2, 3]));
  for (let left = 3; left > 0;) {
    const count = await socket.read(new Uint8Array(left));
    if (count === null) throw new Error("the connection has ended");
    left -= count;
  }
}

describe("a move in two steps", () => {
  // More than two batches, of which every connection continues in the other service.
  test("hands all connections over", async () => {
    await using services = new TwoServices();
    const sockets = await services.connect(70);
    expect(await services.move()).toMatchObject({ moved: 70, stayed: 0, reasons: {}, lost: 0 });
    expect(services.owned).toEqual([0, 70]);
    for (const socket of sockets) await services.net.run(exchange(socket));
    expect(services.sent.filter((type) => type === "packet").length).toBeGreaterThan(70);
  });

  // Connections that were not handed over continue at the sender, whatever the step at which the move ended.
  test.each(
    [
      ["ask", 1, "before"],
      ["ask", 1, "after"],
      ["ready", 1, "before"],
      ["commit", 1, "before"],
      ["commit", 10, "before"],
    ] as const,
  )("keeps the rest if the receiver dies at %s %d, %s it", async (type, number, when) => {
    await using services = new TwoServices((one, count) =>
      one === type && count === number ? when : undefined
    );
    const sockets = await services.connect(10);
    const report = await services.move();
    const { moved, stayed, lost } = report;
    // The sender of a commit cannot know whether it arrived.
    if (type === "commit") expect(lost).toBeGreaterThan(0);
    else expect(lost).toBe(0);
    expect(lost).toBeLessThanOrEqual(2);
    expect(moved + stayed + lost).toBe(10);
    expect(services.owned).toEqual([stayed, moved]);
    // Packets still reach the sender, which drops those of connections that have moved.
    let working = 0;
    const exchanges = sockets.map((socket) => exchange(socket).then(() => working++, () => {}));
    await services.net.clock.advance(500);
    expect(working).toBe(stayed);
    for (const socket of sockets) socket.abort();
    await services.net.run(Promise.all(exchanges));
  });

  // What was committed when the receiver died is lost, at most one batch; the rest continues.
  test("loses at most the connections of one batch", async () => {
    await using services = new TwoServices((type, count) =>
      type === "done" && count === 40 ? "before" : undefined
    );
    await services.connect(100);
    const report = await services.move();
    expect(report.moved).toBe(39);
    expect(report.lost).toBeGreaterThan(0);
    expect(report.lost).toBeLessThanOrEqual(8);
    expect(services.owned[0]).toBe(100 - report.moved - report.lost);
  });

  // No connection is frozen for a receiver that hangs.
  test("leaves the connections if the receiver hangs", async () => {
    await using services = new TwoServices();
    const sockets = await services.connect(20);
    services.incoming.receive = () => true;
    const moving = services.out.move();
    await services.net.clock.advance(100);
    expect(services.owned).toEqual([20, 0]);
    for (const socket of sockets) await services.net.run(exchange(socket));
    const reasons = { "the receiver does not answer in time": 20 };
    expect(await services.net.run(moving)).toMatchObject({
      moved: 0,
      stayed: 20,
      lost: 0,
      reasons,
    });
    expect(services.sent).toEqual(["ask"]);
  });

  test.each(
    [["ask", 1], ["commit", 1], ["commit", 20], ["commit", 60]] as const,
  )("continues if the receiver was busy at %s %d", async (type, number) => {
    await using services = new TwoServices();
    const sockets = await services.connect(70);
    services.stall((one, count) => one === type && count === number ? 3000 : 0);
    expect(await services.move()).toMatchObject({ moved: 70, stayed: 0, reasons: {}, lost: 0 });
    expect(services.owned).toEqual([0, 70]);
    for (const socket of sockets) await services.net.run(exchange(socket));
  });

  // The receiver has owned the connections since their commit, so nobody else may continue them.
  test("waits for a receiver that stops in the middle of a batch", async () => {
    await using services = new TwoServices();
    const sockets = await services.connect(70);
    services.stall((type, count) => type === "commit" && count === 20 ? 20_000 : 0);
    const moving = services.out.move();
    await services.net.clock.advance(16_000);
    expect(services.owned[1]).toBe(19);
    expect(await services.net.run(moving)).toMatchObject({ moved: 70, stayed: 0, lost: 0 });
    for (const socket of sockets) await services.net.run(exchange(socket));
  });

  test("counts what a receiver did not answer for as lost", async () => {
    await using services = new TwoServices();
    await services.connect(70);
    services.stall((type, count) => type === "commit" && count === 20 ? 60_000 : 0);
    const moving = services.out.move();
    await services.net.clock.advance(30_000);
    const { moved, stayed, lost } = await moving;
    expect(moved).toBe(19);
    expect(lost).toBeGreaterThan(0);
    expect(lost).toBeLessThanOrEqual(8);
    expect(stayed).toBe(70 - moved - lost);
  });

  // Otherwise each batch would be frozen until the receiver answers.
  test("leaves the connections if the receiver answers too late each time", async () => {
    await using services = new TwoServices();
    const sockets = await services.connect(70);
    services.stall((type) => type === "ask" ? 3000 : 0);
    const report = await services.move();
    expect(report).toMatchObject({ moved: 0, stayed: 70, lost: 0 });
    expect(new Set(services.sent)).toEqual(new Set(["ask", "ready"]));
    for (const socket of sockets) await services.net.run(exchange(socket));
  });

  test("moves connections that were opened meanwhile", async () => {
    await using services = new TwoServices();
    const sockets = await services.connect(20);
    services.stall((type, count) => type === "commit" && count === 10 ? 500 : 0);
    const moving = services.out.move();
    await services.net.clock.advance(100);
    sockets.push(...await services.connect(1));
    expect(await services.net.run(moving)).toMatchObject({ moved: 21, stayed: 0, lost: 0 });
    for (const socket of sockets) await services.net.run(exchange(socket));
  });

  // The report has the receiver's reason, and the connection continues.
  test("leaves connections that the receiver cannot have", async () => {
    await using services = new TwoServices();
    const [socket] = await services.connect(1);
    services.net.servers[1].removeAddress(SERVER);
    const report = await services.move();
    expect(report.stayed).toBe(1);
    expect(Object.keys(report.reasons)[0]).toContain("is not an address of this stack");
    await services.net.run(exchange(socket!));
  });

  // The sender resumes although its port has no plugin any more, as while it drains.
  test("resumes connections of a port that is closed", async () => {
    await using services = new TwoServices();
    const binding = services.net.servers[0].use(8, echo());
    const socket = services.net.client.connect(`${SERVER}:8`);
    await services.net.run(exchange(socket));
    void binding.remove({ graceMs: Infinity });
    const report = await services.move();
    expect(report).toMatchObject({ moved: 0, lost: 0, stayed: 1 });
    expect(Object.keys(report.reasons)[0]).toContain("port 8 is not served by echo here");
    await services.net.run(exchange(socket));
  });

  test("refuses a connection that is committed twice", async () => {
    await using services = new TwoServices();
    await services.connect(1);
    const [first, second] = services.net.servers;
    const { record } = await services.net.run(first.freeze(first.connections()[0]!));
    const answers: MoveMessage[] = [];
    const incoming = new MoveIn(second, (message) => answers.push(message), silentLogger);
    for (let i = 0; i < 2; i++) incoming.receive({ type: "commit", id: 1, record });
    expect(answers.map(({ type }) => type)).toEqual(["done", "refuse"]);
    expect(second.connections().length).toBe(1);
  });

  // Messages for the other side, about unknown connections, and bytes that are not a message.
  test("returns false for a message that is not for it", () => {
    const net = new ThreeStacks();
    const answers: MoveMessage[] = [];
    const incoming = new MoveIn(net.servers[1], (message) => answers.push(message), silentLogger);
    expect(incoming.receive({ type: "ready", id: 1 })).toBe(false);
    incoming.receive({ type: "commit", id: 8, record: new Uint8Array(100) });
    expect(answers.map(({ type }) => type)).toEqual(["refuse"]);
    const bytes = (...values: number[]) => decodeMessage(new Uint8Array(values));
    const frames = [[], [0], [99, 0, 0, 0, 1], [1, 0, 0, 0, 1, 5], [5, 0, 0, 0, 1, 0]];
    for (const frame of frames) expect(bytes(...frame)).toBeUndefined();
  });
});
