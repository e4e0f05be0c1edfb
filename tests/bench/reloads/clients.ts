/**
 * Clients that keep their connections open and check every byte of the answers.
 *
 * @module
 */
import { connect, type Socket } from "node:net";

const BLOCK = 1000;

/** What the clients have seen so far. */
export class Observations {
  requests = 0;
  /** Connections that ended without their client's doing. */
  ended = 0;
  /** Wrong bytes, and requests without an answer. */
  readonly errors: string[] = [];
  readonly #times = new Map<string, number[]>();
  /** The part of the run that is measured. */
  phase = "quiet";

  /** Counts an answer to a request sent at `start`, a time of `performance.now()`. */
  answered(start: number): void {
    this.requests++;
    const times = this.#times.get(this.phase) ?? [];
    this.#times.set(this.phase, times);
    times.push(performance.now() - start);
  }

  /** Round trips of a phase in milliseconds: median, 99th percentile, maximum. */
  times(phase: string): { p50: number; p99: number; max: number } {
    const times = (this.#times.get(phase) ?? []).sort((a, b) => a - b);
    const at = (part: number) =>
      Math.round((times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? 0) * 10) /
      10;
    return { p50: at(0.5), p99: at(0.99), max: at(1) };
  }
}

/** What all clients of a run share. */
export interface Run {
  readonly observations: Observations;
  readonly pauseMs: number;
  isOver: boolean;
}

/** Sends blocks over TCP and checks the echo. */
export async function checkEcho(run: Run, port: number, seed: number): Promise<void> {
  const connection = new Connection();
  await connection.open(port);
  for (let round = 0; !run.isOver; round++) {
    const block = blockOf(seed + round);
    const start = performance.now();
    connection.write(block);
    const answer = await connection.read(BLOCK);
    if (answer === undefined) {
      run.observations.ended++;
      await connection.open(port);
      continue;
    }
    check(run, answer, block, start);
    await pause(run);
  }
  connection.close();
}

/** Sends blocks as bodies of HTTP/1.1 requests on one connection and checks the responses' bodies. */
export async function checkHttp(run: Run, port: number, seed: number): Promise<void> {
  const connection = new Connection();
  await connection.open(port);
  const head = `POST /echo HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Length: ${BLOCK}\r\n\r\n`;
  for (let round = 0; !run.isOver; round++) {
    if (connection.hasEnded) {
      run.observations.ended++;
      await connection.open(port);
    }
    const block = blockOf(seed + round);
    const start = performance.now();
    connection.write(Buffer.concat([Buffer.from(head), block]));
    const answerHead = await connection.readLines();
    const answer = answerHead === undefined ? undefined : await connection.read(BLOCK);
    if (answer === undefined) {
      run.observations.ended++;
      run.observations.errors.push("no response to a request");
      await connection.open(port);
      continue;
    }
    if (!answerHead!.startsWith("HTTP/1.1 200")) {
      run.observations.errors.push(answerHead!.split("\r\n", 1)[0]!);
    } else check(run, answer, block, start);
    await pause(run);
  }
  connection.close();
}

/** Sends messages over a WebSocket and checks the answers. */
export async function checkWebSocket(run: Run, port: number, name: string): Promise<void> {
  const open = () => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`);
    return new Promise<WebSocket>((resolve, reject) => {
      socket.onopen = () => resolve(socket);
      socket.onerror = () => reject(new Error("the WebSocket did not open"));
    });
  };
  let socket = await open();
  for (let round = 0; !run.isOver; round++) {
    const start = performance.now();
    const answer = await new Promise<unknown>((resolve) => {
      socket.onmessage = ({ data }) => resolve(data);
      socket.onclose = () => resolve(undefined);
      if (socket.readyState !== WebSocket.OPEN) resolve(undefined);
      else socket.send(`${name} ${round}`);
    });
    if (answer === undefined) {
      run.observations.ended++;
      socket = await open();
      continue;
    }
    if (answer === `echo of ${name} ${round}`) run.observations.answered(start);
    else run.observations.errors.push("a wrong message");
    await pause(run);
  }
  socket.close();
}

function blockOf(seed: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  for (let i = 0; i < BLOCK; i++) block[i] = seed + i * 7;
  return block;
}

function check({ observations }: Run, answer: Buffer, expected: Buffer, start: number): void {
  if (answer.equals(expected)) observations.answered(start);
  else observations.errors.push("wrong bytes");
}

function pause({ pauseMs }: Run): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, pauseMs));
}

/** A TCP connection that is read in exact pieces. */
class Connection {
  #socket: Socket | undefined;
  #buffered = Buffer.alloc(0);
  #wake = () => {};
  hasEnded = false;

  async open(port: number): Promise<void> {
    this.#socket?.destroy();
    const socket = connect(port, "127.0.0.1");
    this.#socket = socket;
    this.#buffered = Buffer.alloc(0);
    this.hasEnded = false;
    socket.on("data", (data: Buffer) => {
      this.#buffered = Buffer.concat([this.#buffered, data]);
      this.#wake();
    });
    const end = () => {
      if (this.#socket !== socket) return;
      this.hasEnded = true;
      this.#wake();
    };
    socket.on("end", end).on("close", end);
    await new Promise<void>((resolve, reject) =>
      socket.once("connect", () => resolve()).once("error", reject)
    );
    socket.on("error", end);
  }

  write(data: Buffer): void {
    this.#socket?.write(data);
  }

  /** `length` bytes; `undefined` if the connection ends before. */
  async read(length: number): Promise<Buffer | undefined> {
    while (this.#buffered.length < length) {
      if (this.hasEnded) return undefined;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    const data = this.#buffered.subarray(0, length);
    this.#buffered = this.#buffered.subarray(length);
    return data;
  }

  /** The bytes up to an empty line, as text. */
  async readLines(): Promise<string | undefined> {
    for (;;) {
      const end = this.#buffered.indexOf("\r\n\r\n");
      if (end >= 0) return (await this.read(end + 4))!.toString("latin1");
      if (this.hasEnded) return undefined;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  close(): void {
    this.#socket?.destroy();
  }
}
