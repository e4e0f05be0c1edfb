/**
 * A place with plugins for UDP: each flow runs through the place's chain of handlers.
 *
 * @module
 */
import type { FlowPort } from "../udp/ports.ts";
import type { DatagramFlow, FlowContext, FlowHandler } from "./datagram.ts";
import { StackFlow } from "./datagram_flow.ts";
import type { Driver, Owner } from "./driver.ts";
import type { Clock, Logger } from "./environment.ts";
import { formatHostPort } from "./host_port.ts";
import type { Stack } from "./types.ts";

/** What the handlers of a place share. */
export interface FlowEnvironment {
  readonly stack: Pick<Stack, "connect" | "listenDatagram">;
  readonly clock: Clock;
  readonly log: Logger;
  /** Aborted when the stack closes. */
  readonly signal: AbortSignal;
}

/** Runs one place. */
export class FlowHost implements Owner {
  readonly #port: FlowPort;
  readonly #driver: Driver;
  readonly #handler: FlowHandler;
  readonly #environment: FlowEnvironment;
  readonly #running: Set<Promise<void>>;

  /** `running` holds the handlers that run, those of other places too. */
  constructor(
    port: FlowPort,
    driver: Driver,
    handler: FlowHandler,
    environment: FlowEnvironment,
    running: Set<Promise<void>>,
  ) {
    this.#port = port;
    this.#driver = driver;
    this.#handler = handler;
    this.#environment = environment;
    this.#running = running;
    port.handle = this;
  }

  onEvent(): void {
    for (const fresh of this.#port.fresh.splice(0)) {
      const served = this.#serve(new StackFlow(fresh, this.#driver));
      this.#running.add(served);
      void served.then(() => this.#running.delete(served));
    }
  }

  /** A handler that throws closes its own flow and hurts no other. */
  async #serve(flow: StackFlow): Promise<void> {
    try {
      await this.#handler(new StackFlowContext(flow, this.#environment), () => Promise.resolve());
      flow.finish();
    } catch (error) {
      const wasAlive = !flow.hasEnded;
      flow.close();
      // A peer that is not there is no fault of the handler's.
      if (wasAlive) this.#logFailure(flow, error);
    }
  }

  #logFailure({ remoteAddr }: DatagramFlow, error: unknown): void {
    this.#environment.log.error("handler failed, its flow was closed", {
      remote: formatHostPort(remoteAddr),
      error: error instanceof Error ? error.message : String(error),
    });
  }

  /** Takes no new flows. */
  close(): void {
    this.#driver.core.udp.unbind(this.#port);
  }
}

/** What the handlers of one flow share. */
class StackFlowContext implements FlowContext {
  readonly flow: StackFlow;
  readonly stack: Pick<Stack, "connect" | "listenDatagram">;
  readonly log: Logger;
  readonly clock: Clock;
  readonly #stackSignal: AbortSignal;
  #signal: AbortSignal | undefined;
  #values: Map<symbol | string, unknown> | undefined;

  constructor(flow: StackFlow, environment: FlowEnvironment) {
    this.flow = flow;
    this.stack = environment.stack;
    this.log = environment.log;
    this.clock = environment.clock;
    this.#stackSignal = environment.signal;
  }

  get signal(): AbortSignal {
    return this.#signal ??= firstOf(this.#stackSignal, this.flow.ended);
  }

  get<T>(key: symbol | string): T | undefined {
    return this.#values?.get(key) as T | undefined;
  }

  set<T>(key: symbol | string, value: T): void {
    (this.#values ??= new Map()).set(key, value);
  }
}

/** Aborted with either; leaves nothing behind in the stack's when the flow's has ended. */
function firstOf(stack: AbortSignal, flow: AbortSignal): AbortSignal {
  const controller = new AbortController();
  const follow = (signal: AbortSignal) => () => {
    stack.removeEventListener("abort", onStack);
    controller.abort(signal.reason);
  };
  const onStack = follow(stack);
  stack.addEventListener("abort", onStack);
  flow.addEventListener("abort", follow(flow), { once: true });
  if (stack.aborted) onStack();
  if (flow.aborted) follow(flow)();
  return controller.signal;
}
