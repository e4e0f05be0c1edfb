import { currentRto, smoothedRtt } from "../../tcp/recovery/rtt.ts";
import type { Tcb } from "../../tcp/tcb.ts";
import { URGENT } from "../../tcp/tcb_flags.ts";
import { seqDiff } from "../../wire/seq.ts";
import { netAddr } from "../addresses.ts";
import { formatHostPort } from "../host_port.ts";
import type { SocketInfo, TcpStats } from "../types.ts";

/** The value that `opened` resolves with. */
export function socketInfo({ local, localPort, remote, remotePort }: Tcb): SocketInfo {
  return {
    remoteAddress: formatHostPort(netAddr(remote, remotePort)),
    localAddress: formatHostPort(netAddr(local, localPort)),
    alpn: null,
  };
}

/** A snapshot of a connection's statistics. */
export function tcpStats(tcb: Tcb): TcpStats {
  return {
    state: tcb.state,
    srttMs: smoothedRtt(tcb),
    rttvarMs: tcb.rttvarUs / 1000,
    rtoMs: currentRto(tcb),
    cwnd: tcb.congestion.cwnd,
    ssthresh: tcb.congestion.ssthresh,
    unacknowledged: tcb.send.length,
    flightSize: seqDiff(tcb.sndNxt, tcb.sndUna),
    sendMss: tcb.sendMss,
    sendWindow: tcb.sndWnd,
    receiveWindow: Math.max(0, seqDiff(tcb.rcvEdge, tcb.rcvAcked)),
    unread: tcb.receive.readable,
    bytesIn: tcb.bytesIn,
    bytesOut: tcb.bytesOut,
    segmentsIn: tcb.segmentsIn,
    segmentsOut: tcb.segmentsOut,
    retransmits: tcb.loss.retransmits,
    outOfOrder: tcb.reordering.segments,
    urgentBytes: tcb.has(URGENT) ? Math.max(0, seqDiff(tcb.rcvUp, tcb.receive.readSeq)) : 0,
  };
}
