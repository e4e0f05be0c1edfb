/**
 * The main thread's side of a worker.
 *
 * @module
 */
import { type MessagePort, Worker } from "node:worker_threads";
import type { Logger } from "../../../core/api/environment.ts";
import { isCompiled } from "../../runtime/runtime.ts";
import { messageLine, UsageError } from "../errors.ts";
import type { WorkerData, WorkerEvent, WorkerRequest } from "./messages.ts";
import { RemoteStreams } from "./streams.ts";
import { writeWorkerLine } from "./worker_log.ts";

type Answer<Type extends WorkerEvent["type"]> = WorkerEvent & { type: Type };

interface Pending {
  readonly promise: Promise<WorkerEvent>;
  resolve(report: WorkerEvent): void;
  reject(error: Error): void;
}

/** The module that a worker runs. In a compiled program it is an entry point beside `main.ts`. */
export const WORKER_MODULE: URL = new URL(
  isCompiled || import.meta.url.endsWith(".js") ? "./worker.js" : "./worker.ts",
  import.meta.url,
);

/**
 * Never called. If the program is remote, Deno fetches the modules of all `import()` expressions at the start;
 * without this expression, starting the first thread would need the network.
 */
export const fetchWorkerModule = (): Promise<unknown> => import("./worker.ts");

/**
 * The URL of the thread's module. Deno starts threads only from files and `data:` URLs; a `data:` URL may import a
 * remote module.
 */
function threadModule(): URL {
  return WORKER_MODULE.protocol === "file:"
    ? WORKER_MODULE
    : new URL(`data:text/javascript,${encodeURIComponent(`import "${WORKER_MODULE.href}";`)}`);
}

/** Starts a worker, sends it requests and detects its failure. */
export class WorkerHandle {
  /** Streams from the worker. */
  readonly streams: RemoteStreams = new RemoteStreams((request) =>
    this.#worker.postMessage(request)
  );
  readonly #worker: Worker;
  readonly #index: number;
  readonly #log: Logger;
  readonly #waitingLines: WorkerData["waitingLines"];
  readonly #onFailure: (error: Error) => void;
  readonly #pending = new Map<WorkerEvent["type"], Pending>();
  #failure: Error | undefined;
  #isEnding = false;

  /** `onFailure` is called once, when the worker has failed or ended unexpectedly. */
  constructor(data: WorkerData, log: Logger, onFailure: (error: Error) => void) {
    this.#index = data.index;
    this.#log = log;
    this.#waitingLines = data.waitingLines;
    this.#onFailure = onFailure;
    const ports = data.ends.ports.filter((port): port is MessagePort => port !== undefined);
    this.#worker = new Worker(threadModule(), {
      workerData: data,
      transferList: ports,
    });
    this.#worker.on("message", (report: WorkerEvent) => this.#take(report));
    this.#worker.on("error", (error) => this.#fail(this.#ended(messageLine(error))));
    this.#worker.on("exit", (code) => this.#fail(this.#ended(`exit code ${code}`)));
  }

  /**
   * Sends a request and waits for the answer. Concurrent requests with the same kind of answer are sent once.
   *
   * @throws {Error} The worker failed.
   */
  ask<Type extends WorkerEvent["type"]>(order: WorkerRequest, type: Type): Promise<Answer<Type>> {
    const isPending = this.#pending.has(type);
    const answer = this.nextEvent(type);
    if (!isPending) this.#worker.postMessage(order);
    return answer;
  }

  /** Sends a request that has no answer. */
  tell(order: WorkerRequest & { type: "log" }): void {
    this.#worker.postMessage(order);
  }

  /** Waits for a message that the worker sends by itself. */
  nextEvent<Type extends WorkerEvent["type"]>(type: Type): Promise<Answer<Type>> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    let pending = this.#pending.get(type);
    if (pending === undefined) {
      pending = Promise.withResolvers<WorkerEvent>();
      pending.promise.catch(() => {});
      this.#pending.set(type, pending);
    }
    return pending.promise as Promise<Answer<Type>>;
  }

  /** Terminates the worker. */
  async end(): Promise<void> {
    this.#isEnding = true;
    this.streams.end();
    await this.#worker.terminate();
  }

  #take(report: WorkerEvent): void {
    if (report.type === "line") {
      return writeWorkerLine(report.line, this.#waitingLines, this.#index, this.#log);
    }
    if (report.type === "opened" || report.type === "chunk") return this.streams.take(report);
    if (report.type === "failed") {
      const { message, isUsage } = report;
      return this.#fail(isUsage ? new UsageError(message) : new Error(message));
    }
    const pending = this.#pending.get(report.type);
    this.#pending.delete(report.type);
    pending?.resolve(report);
  }

  #ended(how: string): Error {
    return new Error(`Worker ${this.#index} ended unexpectedly: ${how}`);
  }

  #fail(error: Error): void {
    if (this.#isEnding || this.#failure !== undefined) return;
    this.#failure = error;
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
    this.streams.end();
    this.#onFailure(error);
  }
}
