/**
 * Connections in each state, reached by segments of a peer.
 *
 * @module
 */
import type { TcpOptions } from "./encode.ts";
import type { TraceOptions } from "./segments.ts";
import { Trace } from "./trace.ts";
import { Wire, type WireOptions } from "./wire.ts";

/** Options of a builder; `syn` are the options of the peer's SYN. */
export interface Setup extends WireOptions, TraceOptions {
  /** 4 (default): `10.0.0.2` and `10.0.0.1`; 6: `fd00::2` and `fd00::1`. */
  version?: 4 | 6;
  /** Default MSS 1000 and SACK. */
  syn?: TcpOptions;
  /** Milliseconds between SYN,ACK and ACK; default 10, which gives an RTO of 210 ms. */
  rtt?: number;
  /** The stack's initial sequence number; the clock is set accordingly. */
  iss?: number;
  backlog?: number;
}

const SYN: TcpOptions = { mss: 1000, sackPermitted: true };

/** A stack without a listener. */
export function inClosed(setup: Setup = {}): Trace {
  const { version = 4 } = setup;
  const ends = version === 4
    ? { local: "10.0.0.2", remote: "10.0.0.1" }
    : { local: "fd00::2", remote: "fd00::1" };
  const full = { localPort: 80, remotePort: 40_000, ...ends, ...setup };
  const { local, localPort, remote, remotePort, iss } = full;
  const start = iss === undefined
    ? {}
    : { start: Wire.timeOfIss(iss, local, localPort, remote, remotePort) };
  return new Trace(new Wire({ ...setup, ...start }), full);
}

/** LISTEN on port 80. */
export function inListen(setup: Setup = {}): Trace {
  const t = inClosed(setup);
  t.wire.listen(t.localPort, { backlog: setup.backlog ?? 511 });
  return t;
}

/** SYN-RECEIVED: the SYN,ACK has just been sent. */
export function inSynReceived(setup: Setup = {}): Trace {
  const t = inListen(setup);
  t.send({ flags: "S", options: setup.syn ?? SYN });
  t.timestamps = t.recv({ flags: "S.", ack: 1 }).options.timestamps !== undefined;
  t.wire.restartClock();
  return t;
}

/** ESTABLISHED by a peer's SYN and accepted by the application. */
export function inEstablished(setup: Setup = {}): Trace {
  const t = inSynReceived(setup);
  t.send({ at: setup.rtt ?? 10 });
  const listener = t.tcb.listener as { ready: unknown[] } | undefined;
  listener?.ready.splice(0);
  t.tcb.listener = undefined;
  t.takeEvents();
  t.wire.restartClock();
  return t;
}

/** SYN-SENT: the SYN has just been sent. */
export function inSynSent(setup: Setup = {}): Trace {
  const t = inClosed({ localPort: 50_000, remotePort: 80, ...setup });
  t.connect();
  t.recv({ flags: "S" });
  t.wire.restartClock();
  return t;
}

/** ESTABLISHED by the application's connect(). */
export function inEstablishedActive(setup: Setup = {}): Trace {
  const t = inSynSent(setup);
  t.send({ at: setup.rtt ?? 10, flags: "S.", options: setup.syn ?? SYN });
  t.timestamps = t.recv({ ack: 1 }).options.timestamps !== undefined;
  t.takeEvents();
  t.wire.restartClock();
  return t;
}

/** FIN-WAIT-1: our FIN, number 1, is not acknowledged. */
export function inFinWait1(setup: Setup = {}): Trace {
  const t = inEstablished(setup);
  t.closeWrite();
  t.recv({ flags: "F.", seq: 1, ack: 1 });
  return t;
}

/** FIN-WAIT-2: our FIN is acknowledged. */
export function inFinWait2(setup: Setup = {}): Trace {
  const t = inFinWait1(setup);
  t.send({ ack: 2 });
  t.takeEvents();
  return t;
}

/** CLOSE-WAIT: the peer's FIN, number 1, is acknowledged. */
export function inCloseWait(setup: Setup = {}): Trace {
  const t = inEstablished(setup);
  t.send({ flags: "F." });
  t.recv({ ack: 2 });
  t.takeEvents();
  return t;
}

/**
 * CLOSING: in profile `local` after closeWrite() in CLOSE-WAIT, in `internet` after both FINs have
 * crossed. Our FIN, number 1, is not acknowledged.
 */
export function inClosing(setup: Setup = {}): Trace {
  if (setup.profile === "internet") {
    const t = inFinWait1(setup);
    t.send({ flags: "F.", ack: 1 });
    t.recv({ ack: 2 });
    return t;
  }
  const t = inCloseWait(setup);
  t.closeWrite();
  t.recv({ flags: "F.", seq: 1 });
  return t;
}

/** LAST-ACK, profile `internet`. */
export function inLastAck(setup: Setup = {}): Trace {
  const t = inCloseWait({ profile: "internet", ...setup });
  t.closeWrite();
  t.recv({ flags: "F.", seq: 1 });
  return t;
}

/** TIME-WAIT, profile `internet`. */
export function inTimeWait(setup: Setup = {}): Trace {
  const t = inFinWait2({ profile: "internet", ...setup });
  t.send({ flags: "F." });
  t.recv({ ack: 2 });
  t.wire.restartClock();
  return t;
}
