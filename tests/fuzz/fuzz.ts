import type { TcpState } from "../../core/tcp/state.ts";
import { Episode } from "./episode.ts";

/** Number of packets per stack. */
export const EPISODE_PACKETS = 20_000;

/** Result of a run. */
export interface FuzzResult {
  readonly packets: number;
  /** Number of packets sent by the stacks. */
  readonly sent: number;
  /** Number of packets by the state of the connection that they reached. */
  readonly met: ReadonlyMap<TcpState, number>;
}

/**
 * Delivers at least this many packets to stacks, each with its own seed from `seed` on. Throws the
 * first finding, with the command to reproduce it.
 */
export function fuzz(
  seed: number,
  packets: number,
  onEpisode: (done: number) => void = () => {},
): FuzzResult {
  const met = new Map<TcpState, number>();
  let [given, sent] = [0, 0];
  for (let next = seed; given < packets; next++) {
    const episode = new Episode(next);
    const most = Math.min(EPISODE_PACKETS, packets - given);
    try {
      episode.run(most);
    } catch (error) {
      throw finding(error, next, most, episode);
    }
    given += episode.packets;
    sent += episode.sent;
    for (const [state, count] of episode.met) met.set(state, (met.get(state) ?? 0) + count);
    onEpisode(given);
  }
  return { packets: given, sent, met };
}

function finding(error: unknown, seed: number, packets: number, episode: Episode): Error {
  const reason = error instanceof Error ? error.message : String(error);
  const again = `deno task fuzz --seed ${seed} --packets ${packets}`;
  return new Error(`${reason}\n${episode.describe()}\nsee it again: ${again}`, { cause: error });
}
