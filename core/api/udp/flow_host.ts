/**
 * A UDP binding with plugins: each flow runs through the binding's chain of handlers.
 *
 * @module
 */
import type { Binding } from "../../stack/binding_table.ts";
import type { FlowPort } from "../../udp/flow.ts";
import { messageOf, stackOf } from "../error_text.ts";
import { formatHostPort } from "../host_port.ts";
import type { Driver } from "../runtime/driver.ts";
import type { Owner } from "../runtime/owner_notifier.ts";
import { type HandlerEnvironment, type OnEnd, SharedContext } from "../runtime/handler_context.ts";
import type { FlowContext } from "./datagram.ts";
import { StackFlow } from "./datagram_flow.ts";

/** Serves the flows of one binding. */
export class FlowHost implements Owner {
  readonly #port: FlowPort;
  readonly #driver: Driver;
  #environment: HandlerEnvironment;
  readonly #running: Set<Promise<void>>;

  /**
   * The handler set of `environment` must have a handler for flows. `running` holds all running handlers,
   * including those of other bindings.
   */
  constructor(
    port: FlowPort,
    driver: Driver,
    environment: HandlerEnvironment,
    running: Set<Promise<void>>,
  ) {
    this.#port = port;
    this.#driver = driver;
    this.#environment = environment;
    this.#running = running;
    port.handle = this;
  }

  /** Serves new flows with other handlers. */
  replace(environment: HandlerEnvironment): void {
    this.#environment = environment;
  }

  onEvent(): void {
    for (const fresh of this.#port.fresh.splice(0)) {
      const served = this.#serve(new StackFlow(fresh, this.#driver, this.#environment));
      this.#running.add(served);
      void served.then(() => this.#running.delete(served));
    }
  }

  /** A handler that throws closes its own flow and no other. */
  async #serve(flow: StackFlow): Promise<void> {
    const { environment } = flow;
    const { handlerSet, counts, clock } = environment;
    const began = clock.now();
    counts.served++;
    handlerSet.enter();
    try {
      const handler = handlerSet.handlers.flows!;
      await handler(new StackFlowContext(flow, environment), () => Promise.resolve());
      flow.finish();
    } catch (error) {
      const wasAlive = !flow.hasEnded;
      flow.close();
      // If the flow had ended before, the handler is not at fault.
      if (wasAlive) this.#logFailure(flow, error);
    } finally {
      const { bytesIn, bytesOut } = flow.stats();
      counts.flowEnded(bytesIn, bytesOut);
      counts.durations.record((clock.now() - began) / 1000);
      handlerSet.leave();
    }
  }

  #logFailure({ remoteAddr, environment }: StackFlow, error: unknown): void {
    environment.counts.errors++;
    environment.log.error("handler failed, its flow was closed", {
      remote: formatHostPort(remoteAddr),
      error: messageOf(error),
      stack: stackOf(error),
    });
  }

  /** The binding, with the port that was chosen if any free one was requested. */
  get binding(): Binding {
    return this.#driver.core.udp.bindingOf(this.#port)!;
  }

  /** Takes no new flows. */
  close(): void {
    this.#driver.core.udp.unbind(this.#port);
  }
}

/** The context that the handlers of one flow share. */
class StackFlowContext extends SharedContext implements FlowContext {
  readonly flow: StackFlow;
  protected readonly environment: HandlerEnvironment;

  constructor(flow: StackFlow, environment: HandlerEnvironment) {
    super();
    this.flow = flow;
    this.environment = environment;
  }

  protected override onEnd(callback: OnEnd): void {
    this.flow.onEnd(callback);
  }
}
