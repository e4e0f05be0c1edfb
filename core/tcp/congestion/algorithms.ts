/**
 * Congestion control algorithms by name.
 *
 * @module
 */
import type { CongestionName, TcpConfig } from "../config.ts";
import { Bbr } from "./bbr/bbr.ts";
import type { CongestionControl } from "./control.ts";
import { Cubic } from "./cubic.ts";
import { NewReno } from "./newreno.ts";
import { Unacked } from "./unacked.ts";

const ALGORITHMS: Readonly<
  Record<CongestionName, (mss: number, config: TcpConfig) => CongestionControl>
> = {
  unacked: (mss, config) => new Unacked(mss, config.maxUnacked),
  newreno: (mss) => new NewReno(mss),
  cubic: (mss) => new Cubic(mss),
  bbr: (mss) => new Bbr(mss),
};

/** Creates the algorithm that `config` names. */
export function createCongestionControl(mss: number, config: TcpConfig): CongestionControl {
  return ALGORITHMS[config.congestion](mss, config);
}
