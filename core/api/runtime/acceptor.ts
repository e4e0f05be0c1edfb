/**
 * What a listener and a port with plugins have in common: SYNs are decided about, connections
 * become sockets.
 *
 * @module
 */
import type { Binding } from "../../stack/binding_table.ts";
import type { Listener } from "../../stack/tcp/listener.ts";
import type { Tcb } from "../../tcp/tcb.ts";
import { TCB } from "../../tcp/tcb_flags.ts";
import { netAddr } from "../addresses.ts";
import { StackSocket } from "../tcp/tcp_socket.ts";
import type { Handler, Syn, SynVerdict } from "../types.ts";
import type { Driver } from "./driver.ts";
import type { Owner } from "./owner_notifier.ts";

/** Who gets the connections of a port. */
export interface AcceptorHooks {
  /** Decides about a SYN; a rejection refuses it. Only for listeners that decide. */
  decide?(attempt: Attempt): Promise<SynVerdict>;
  /**
   * There are connections to {@link Acceptor.take}. Returns true if it takes more of them in later
   * notifications.
   */
  ready(): boolean;
}

/** Owner of a listener in the core. */
export class Acceptor implements Owner {
  readonly listener: Listener;
  readonly #driver: Driver;
  readonly #hooks: AcceptorHooks;

  constructor(listener: Listener, driver: Driver, hooks: AcceptorHooks) {
    this.listener = listener;
    this.#driver = driver;
    this.#hooks = hooks;
    listener.handle = this;
  }

  /** Where it listens: a free port is known only now. */
  get place(): Binding {
    return this.listener;
  }

  /** Starts one handler and one decision: each may compute, and connections want their turn too. */
  onEvent(): void {
    const { listener } = this;
    const tcb = listener.takeUndecided();
    if (tcb !== undefined) void this.#decide(tcb);
    const takesMore = listener.ready.length > 0 && this.#hooks.ready();
    if (listener.undecided.length > 0 || (takesMore && listener.ready.length > 0)) {
      this.#driver.core.tcp.notifyLater(listener);
    }
  }

  /** The oldest connection that nobody has taken. */
  take(): { socket: StackSocket; attempt: Attempt | undefined } | undefined {
    const tcb = this.listener.takeReady();
    if (tcb === undefined) return undefined;
    tcb.listener = undefined;
    const attempt = tcb.handle instanceof Attempt ? tcb.handle : undefined;
    const socket = new StackSocket(tcb, this.#driver, { closesWithPeer: false });
    // A handler that was made before may never run: those in front of it need not call it.
    if (attempt !== undefined) socket.onEnd(() => attempt.giveUp());
    return { socket, attempt };
  }

  async #decide(tcb: Tcb): Promise<void> {
    const attempt = new Attempt(tcb);
    let verdict: SynVerdict = "refuse";
    try {
      verdict = await this.#hooks.decide!(attempt);
    } catch {
      // Refused: `decide` has logged why.
    }
    // Who has prepared something for the connection lets it go.
    if (verdict !== "accept") attempt.giveUp();
    this.#driver.core.tcp.decide(tcb, verdict);
    this.#driver.touch();
  }

  close(): void {
    this.#driver.core.tcp.closeListener(this.listener);
    this.#driver.touch();
  }
}

/**
 * Owns a connection from its SYN to its socket: what the plugins are asked, and the handler that they
 * answer with. Of the decision the core knows only that it waits for one.
 */
export class Attempt implements Owner {
  /** Its signal is aborted when the attempt has failed, and at the end of the connection. */
  readonly syn: Syn;
  /** The handler that was made for this connection; undefined: that of the port. */
  handler: Handler | undefined;
  readonly #tcb: Tcb;
  readonly #controller = new AbortController();

  constructor(tcb: Tcb) {
    this.#tcb = tcb;
    this.syn = {
      local: netAddr(tcb.local, tcb.localPort),
      remote: netAddr(tcb.remote, tcb.remotePort),
      signal: this.#controller.signal,
    };
    tcb.handle = this;
    this.onEvent();
  }

  onEvent(): void {
    // One that was established is still handed out, to who was made for it.
    if (this.#tcb.has(TCB.RELEASED) && this.#tcb.listener === undefined) this.giveUp();
  }

  giveUp(): void {
    this.#controller.abort();
  }
}
