/**
 * Creates a connection without a stack, for tests of single functions.
 *
 * @module
 */
import { RingPool } from "../../core/buffers/ring_pool.ts";
import { PROFILES, type TcpConfig } from "../../core/tcp/config.ts";
import { ScoreboardPool } from "../../core/tcp/recovery/scoreboard_pool.ts";
import { Tcb } from "../../core/tcp/tcb.ts";
import { TcpCounts } from "../../core/tcp/tcp_counts.ts";
import { IpAddress } from "../../core/wire/address.ts";

/** A connection in CLOSED, of profile `internet` with these changes. */
export function freshTcb(changes: Partial<TcpConfig> = {}): Tcb {
  const environment = {
    pool: new RingPool(),
    mtu: 1500,
    maxSuperPacket: 0,
    checksumOffload: false,
    scoreboards: new ScoreboardPool(),
    counts: new TcpCounts(),
  };
  const [local, remote] = [IpAddress.parse("10.0.0.1")!, IpAddress.parse("10.0.0.2")!];
  return new Tcb({ ...PROFILES.internet, ...changes }, environment, local, 80, remote, 50_000);
}

/** The rarely used records that are the connection's own, by the names of their fields. */
export function ownRecords(tcb: Tcb): string[] {
  const initial = freshTcb();
  return (["loss", "reordering", "probes", "userOptions"] as const)
    .filter((name) => tcb[name] !== initial[name]);
}
