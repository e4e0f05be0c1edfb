import { readdirSync } from "node:fs";
import { describe, expect } from "bun:test";
import { messageSocketPair } from "../../../../adapters/host/native/message_socket.ts";
import { nativeSockets } from "../../../../adapters/host/native/sockets.ts";
import {
  decodeMessage,
  encodeMessage,
  type MoveMessage,
} from "../../../../adapters/service/moves/messages.ts";
import type { MoveHandler } from "../../../../adapters/service/upgrade/generation_link.ts";
import {
  GenerationMoves,
  type MoveChannels,
} from "../../../../adapters/service/upgrade/generation_moves.ts";
import type { WholeMessage } from "../../../../adapters/service/upgrade/move_parts.ts";
import { openEventfd } from "../../../../adapters/runtime/libc/host.ts";
import { silentLogger } from "../../../../core/api/environment.ts";
import type { Plugin, TcpSocket } from "../../../../core/api/types.ts";
import { NEWEST } from "../../../../core/stack/sharding/generations.ts";
import { echo } from "../../../../plugins/echo.ts";
import { SERVER, ThreeStacks } from "../../../core/api/moves/three_stacks.ts";
import { testRequiring } from "../../../support/requirements.ts";

/** Number of the process that hands over. */
const OLD = 1;

/** A channel between two processes in memory, which can break, or lose messages. */
class Processes implements AsyncDisposable {
  readonly net = new ThreeStacks({ profile: "internet" });
  readonly old: GenerationMoves;
  readonly next: GenerationMoves;
  readonly sent: string[] = [];
  /** Whether a message of the old process (or, with `isBack`, of the new one) arrives. */
  arrives: (message: WholeMessage, isBack: boolean) => boolean = () => true;
  #isBroken = false;

  constructor(plugin: Plugin = echo()) {
    const [first, second] = this.net.servers;
    const channels: (MoveChannels & { moves: MoveHandler | undefined })[] = [
      { moves: undefined, sendMove: (_to, ...message) => this.#carry(1, OLD, false, message) },
      { moves: undefined, sendMove: (_to, ...message) => this.#carry(0, NEWEST, true, message) },
    ];
    this.#channels = channels;
    const { clock } = this.net;
    const sockets = nativeSockets()!;
    this.old = new GenerationMoves(channels[0]!, first, sockets, silentLogger, clock);
    this.next = new GenerationMoves(channels[1]!, second, sockets, silentLogger, clock);
    for (const server of this.net.servers) server.use(7, plugin);
  }

  readonly #channels: readonly { moves: MoveHandler | undefined }[];

  async connect(count: number): Promise<TcpSocket[]> {
    const sockets = Array.from({ length: count }, () => this.net.client.connect(`${SERVER}:7`));
    for (const socket of sockets) await this.net.run(exchange(socket));
    return sockets;
  }

  /** Lets a second pass, in which each move takes a turn of the event loop. */
  async advance(): Promise<void> {
    for (let i = 0; i < 100; i++) await this.net.clock.advance(10);
  }

  get owned(): number[] {
    return this.net.servers.map((server) => server.connections().length);
  }

  /** The new process ends, as by SIGKILL. */
  break(): void {
    this.#isBroken = true;
    this.old.onGone(NEWEST);
    this.next.onGone(OLD);
  }

  #carry(
    to: 0 | 1,
    from: number,
    isBack: boolean,
    [id, bytes, descriptors]: readonly [number, Uint8Array, readonly number[]],
  ): boolean {
    if (this.#isBroken) return false;
    this.sent.push(isBack ? "back" : "forth");
    const message = { id, bytes: bytes.slice(), descriptors };
    queueMicrotask(() => {
      if (this.#isBroken || !this.arrives(message, isBack)) return;
      this.#channels[to]!.moves!.onMessage(from, message);
    });
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.old.stop();
    this.next.stop();
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

const NEEDS = ["native-sockets"] as const;

describe("moves to the new process of an upgrade", () => {
  // The device's packets reach the new process, which continues all connections; the old one no longer knows any of
  // them.
  testRequiring(NEEDS, "take everything that can move", async () => {
    await using run = new Processes();
    const sockets = await run.connect(30);
    run.net.route(1);
    run.old.start();
    await run.advance();
    expect(run.owned).toEqual([0, 30]);
    for (const socket of sockets) await run.net.run(exchange(socket));
  });

  // While a plugin is busy, its connection is tried again at longer and longer intervals.
  testRequiring(NEEDS, "are tried again later", async () => {
    let isBusy = true;
    const echoing = echo();
    await using run = new Processes({
      ...echoing,
      freeze: (c, attach) => isBusy ? undefined : echoing.freeze!(c, attach),
    });
    await run.connect(3);
    run.old.start();
    await run.net.clock.advance(20_000);
    expect(run.owned).toEqual([3, 0]);
    const attempts = run.sent.length;
    isBusy = false;
    await run.net.clock.advance(30_000);
    expect(run.owned).toEqual([0, 3]);
    expect(attempts).toBeLessThan(150);
  });

  // The new process is killed while eight connections are being moved: these are lost, because it may have answered
  // their peers, and all others continue in the old process.
  testRequiring(NEEDS, "lose at most one batch if it is killed", async () => {
    await using run = new Processes();
    const sockets = await run.connect(40);
    let commits = 0;
    run.arrives = ({ bytes }, isBack) => {
      if (!isBack && bytes![0] === 2 && ++commits === 20) run.break();
      return commits < 20;
    };
    run.old.start();
    await run.advance();
    const [left, moved] = run.owned as [number, number];
    expect(moved).toBeLessThan(20);
    expect(40 - left - moved).toBeGreaterThan(0);
    expect(40 - left - moved).toBeLessThanOrEqual(8);
    let working = 0;
    const exchanges = sockets.map((each) => exchange(each).then(() => working++, () => {}));
    await run.net.clock.advance(500);
    expect(working).toBe(left);
    for (const socket of sockets) socket.abort();
    await run.net.run(Promise.all(exchanges));
  });

  // start() twice, stop, and start again: each connection has one owner.
  testRequiring(NEEDS, "run once at a time", async () => {
    await using run = new Processes();
    await run.connect(20);
    run.old.start();
    run.old.start();
    run.old.stop();
    run.old.start();
    await run.advance();
    const [left, moved] = run.owned as [number, number];
    expect(moved).toBeGreaterThan(0);
    expect(left + moved).toBeLessThanOrEqual(20);
  });

  // They leave neither a thawed connection nor an open descriptor behind.
  testRequiring(NEEDS, "refuse what is malformed, and close its descriptors", async () => {
    await using run = new Processes();
    const answers: MoveMessage["type"][] = [];
    run.arrives = ({ bytes }) => {
      answers.push(decodeMessage(bytes!)!.type);
      return false;
    };
    const before = readdirSync("/proc/self/fd").length;
    const { host } = nativeSockets()!;
    const file = () => openEventfd(host);
    const record = new Uint8Array(100);
    const commit = encodeMessage({ type: "commit", id: 1, record });
    const [one, other] = messageSocketPair(nativeSockets()!);
    const cases: readonly (readonly [Uint8Array | undefined, readonly number[]])[] = [
      [undefined, [file(), file()]], // a part is missing
      [new Uint8Array([99, 0]), [file()]], // not a message
      [encodeMessage({ type: "ask", id: 1 }), [file()]], // a message that has none
      [commit, [file()]], // not a socket
      [commit, [one]], // not a stream
      [commit, []], // not a record
    ];
    for (const [bytes, descriptors] of cases) {
      run.next.onMessage(OLD, { id: 1, bytes, descriptors });
    }
    await run.net.clock.advance(1);
    host.libc.close(other);
    expect(answers).toEqual(["refuse", "refuse", "ready", "refuse", "refuse", "refuse"]);
    // A process that sends nothing ignores messages for a sender, and messages from an unknown process.
    run.old.onMessage(NEWEST, { id: 5, bytes: commit, descriptors: [file()] });
    run.old.onMessage(NEWEST, { id: 5, bytes: undefined, descriptors: [file()] });
    expect(run.owned).toEqual([0, 0]);
    expect(readdirSync("/proc/self/fd").length).toBe(before);
  });
});

// Code in the old process holds such a connection.
testRequiring(NEEDS, "a connection that no plugin serves stays", async () => {
  await using run = new Processes();
  const listener = run.net.servers[0].listen({ port: 80 });
  const client = run.net.client.connect(`${SERVER}:80`);
  await run.net.run(listener.accept());
  run.old.start();
  await run.advance();
  expect(run.owned).toEqual([1, 0]);
  client.abort();
});
