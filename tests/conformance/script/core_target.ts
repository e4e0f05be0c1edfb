/**
 * The core as the target of a script, in virtual time.
 *
 * @module
 */
import { tcpStats } from "../../../core/api/tcp/socket_stats.ts";
import type { Listener } from "../../../core/stack/tcp/listener.ts";
import type { TcpConfig } from "../../../core/tcp/config.ts";
import { currentRto } from "../../../core/tcp/recovery/rtt.ts";
import type { Tcb } from "../../../core/tcp/tcb.ts";
import { FIN_RECEIVED, RELEASED } from "../../../core/tcp/tcb_flags.ts";
import { setUserTimeout } from "../../../core/tcp/user_calls.ts";
import { IpAddress } from "../../../core/wire/address.ts";
import { type Sent, Wire } from "../../support/dsl/wire.ts";
import { Flow, type FlowEnds } from "./flow.ts";
import type { Script } from "./parse.ts";
import type { Target } from "./target.ts";

const PORT = 8080;
const FIRST_PEER_PORT = 40_000;

/** Settings of a script that are not TCP options of a connection. */
const OTHER_SETTINGS = new Set([
  "profile",
  "mtu",
  "version",
  "irs",
  "iss",
  "maxTimeWait",
  "active",
]);

/** Runs scripts against the core; all invariants are checked after each step. */
export class CoreTarget implements Target {
  readonly isStrict = true;
  readonly wire: Wire;
  readonly #settings: ReadonlyMap<string, string>;
  readonly #flows = new Map<number, { flow: Flow; tcb: Tcb | undefined }>();
  #listener: Listener | undefined;

  constructor(script: Script) {
    this.#settings = script.settings;
    const { settings } = script;
    const iss = settings.get("iss");
    const { local, localPort, remote, remotePort } = this.#ends(1);
    this.wire = new Wire({
      profile: (settings.get("profile") ?? "internet") as "internet",
      mtu: Number(settings.get("mtu") ?? 1500),
      maxTimeWait: Number(settings.get("maxTimeWait") ?? 100),
      tcp: tcpOptions(settings),
      ...(iss === undefined
        ? {}
        : { start: Wire.timeOfIss(Number(iss), local, localPort, remote, remotePort) }),
    });
  }

  get elapsed(): number {
    return this.wire.elapsed;
  }

  toleranceMs(): number {
    return 0.6;
  }

  flow(number: number): Flow {
    return this.#flowOf(number).flow;
  }

  waitUntil(elapsed: number): void {
    this.wire.advanceTo(Math.max(elapsed, this.wire.elapsed));
  }

  inject(packet: Uint8Array): void {
    this.wire.inject(packet);
  }

  nextPacket(elapsed: number): Sent | undefined {
    this.wire.advanceUntilSent(Math.max(0, elapsed - this.wire.elapsed));
    return this.wire.unread.shift();
  }

  call(flow: number, name: string, args: readonly string[]): string {
    const call = this.#calls[name];
    if (call === undefined) throw new Error(`${name} is not a call`);
    return call(flow, args);
  }

  /** The record of a flow's connection. */
  tcb(number: number): Tcb {
    const found = this.#flowOf(number);
    if (found.tcb === undefined || found.tcb.has(RELEASED)) {
      found.tcb = this.#find(found.flow) ?? found.tcb;
    }
    if (found.tcb === undefined) throw new Error("there is no such connection");
    this.wire.watch(found.tcb);
    return found.tcb;
  }

  #find({ ends }: Flow): Tcb | undefined {
    return this.wire.stack.tcp.connections().find((tcb) =>
      tcb.remotePort === ends.remotePort && tcb.localPort === ends.localPort &&
      tcb.remote.equals(IpAddress.parse(ends.remote)!)
    );
  }

  readonly #calls: Readonly<Record<string, (flow: number, args: readonly string[]) => string>> = {
    listen: (_, [backlog]) => {
      this.#listener = this.wire.listen(PORT, { backlog: Number(backlog ?? 511) });
      return "ok";
    },
    closeListener: () => {
      this.wire.step((stack) => stack.tcp.closeListener(this.#listener!));
      return "ok";
    },
    accept: (flow) => this.#accept(flow),
    connect: (flow) => this.#connect(flow),
    read: (flow, [most]) => this.#read(flow, Number(most ?? 0x1000000)),
    write: (flow, [length]) => this.#write(flow, Number(length)),
    closeWrite: (flow) => this.#do(flow, (tcb) => this.wire.stack.tcp.closeWrite(tcb)),
    close: (flow) => this.#do(flow, (tcb) => this.wire.stack.tcp.close(tcb, this.wire.now)),
    abort: (flow) => this.#do(flow, (tcb) => this.wire.stack.tcp.abort(tcb)),
    noDelay: (flow, [on]) =>
      this.#do(flow, (tcb) => this.wire.stack.tcp.setNoDelay(tcb, on === "on")),
    linger: (flow, [seconds]) =>
      this.#do(flow, (tcb) => this.wire.stack.tcp.setLinger(tcb, Number(seconds) * 1000)),
    cork: (flow, [on]) => this.#do(flow, (tcb) => this.wire.stack.tcp.setCork(tcb, on === "on")),
    userTimeout: (flow, [seconds]) =>
      this.#do(flow, (tcb) => setUserTimeout(tcb, Number(seconds) * 1000)),
    keepAlive: (flow, [on]) =>
      this.#do(flow, (tcb) => this.wire.stack.tcp.setKeepAlive(tcb, on === "on", this.wire.now)),
    expect: (flow, [what = ""]) => this.#look(flow, what),
  };

  #do(flow: number, action: (tcb: Tcb) => void): string {
    const tcb = this.tcb(flow);
    this.wire.step(() => action(tcb));
    return "ok";
  }

  #accept(flow: number): string {
    const tcb = this.#listener?.ready.shift();
    if (tcb === undefined) return "nothing";
    tcb.listener = undefined;
    this.#flowOf(flow).tcb = tcb;
    this.wire.watch(tcb);
    return "ok";
  }

  #connect(flow: number): string {
    const { local, localPort, remote, remotePort } = this.flow(flow).ends;
    const tcb = this.wire.step((stack) =>
      stack.tcp.connect({
        remote: IpAddress.parse(remote)!,
        remotePort,
        local: IpAddress.parse(local)!,
        localPort,
      }, this.wire.now)
    );
    if (typeof tcb === "string") return tcb;
    this.#flowOf(flow).tcb = tcb;
    this.wire.watch(tcb);
    return "ok";
  }

  #read(number: number, most: number): string {
    const flow = this.flow(number);
    const tcb = this.tcb(number);
    const target = new Uint8Array(Math.min(most, Math.max(1, tcb.receive.readable)));
    const count = this.wire.step((stack) => stack.tcp.read(tcb, target, this.wire.now));
    const wrong = flow.fromPeer.firstDifference(flow.readAt, target.subarray(0, count));
    if (wrong >= 0) throw new Error(`byte ${wrong} differs from what the peer sent`);
    flow.readAt += count;
    if (count > 0) return String(count);
    if (tcb.error !== undefined && !tcb.has(FIN_RECEIVED)) return tcb.error;
    return tcb.has(FIN_RECEIVED) ? "EOF" : "nothing";
  }

  #write(number: number, length: number): string {
    const flow = this.flow(number);
    const tcb = this.tcb(number);
    const bytes = flow.fromStack.put(flow.fromStack.length, length);
    const taken = this.wire.step((stack) => stack.tcp.send(tcb, bytes, 0, this.wire.now));
    flow.fromStack.length -= bytes.length - taken;
    return String(taken);
  }

  #look(flow: number, what: string): string {
    const { stack } = this.wire;
    if (what === "connections") return String(stack.tcp.connectionCount);
    const tcb = this.tcb(flow);
    if (what === "state") return tcb.state;
    if (what === "error") return tcb.error ?? "none";
    if (what === "cwnd") return String(Math.round(tcb.congestion.cwnd));
    if (what === "ssthresh") return String(Math.round(tcb.congestion.ssthresh));
    if (what === "rto") return String(Math.round(currentRto(tcb)));
    if (what === "srtt") return String(Math.round(tcb.srttUs / 1000));
    if (what === "urgent") return String(tcpStats(tcb).urgentBytes);
    if (what === "readable") return String(tcb.receive.readable);
    throw new Error(`nothing is known of ${what}`);
  }

  #flowOf(number: number): { flow: Flow; tcb: Tcb | undefined } {
    let found = this.#flows.get(number);
    if (found === undefined) {
      found = { flow: new Flow(this.#ends(number)), tcb: undefined };
      this.#flows.set(number, found);
    }
    return found;
  }

  #ends(number: number): FlowEnds {
    const isV6 = this.#settings.get("version") === "6";
    return {
      local: isV6 ? "fd00::2" : "10.0.0.2",
      localPort: PORT,
      remote: isV6 ? "fd00::1" : "10.0.0.1",
      remotePort: FIRST_PEER_PORT + number,
      irs: Number(this.#settings.get("irs") ?? 1_000_000),
    };
  }
}

/** The TCP options among the settings, converted to numbers, booleans and names. */
function tcpOptions(settings: ReadonlyMap<string, string>): Partial<TcpConfig> {
  const entries = [...settings]
    .filter(([name]) => !OTHER_SETTINGS.has(name))
    .map(([name, value]) => [name, valueOf(value)]);
  // As on Linux, ECN is offered only if requested.
  return { ecn: false, ...Object.fromEntries(entries) } as Partial<TcpConfig>;
}

function valueOf(text: string): string | number | boolean {
  if (text === "true" || text === "false") return text === "true";
  return Number.isNaN(Number(text)) ? text : Number(text);
}
