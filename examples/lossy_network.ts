/**
 * A network in one process: a server behind a path with delay, loss and a bandwidth limit. The
 * transfer takes seconds of virtual time and milliseconds of real time, and its outcome depends
 * only on the seed.
 *
 *     deno run -A examples/lossy_network.ts
 *
 * @module
 */
import { createStack, type TcpSocket } from "@berth/berth";
import { chargen } from "@berth/berth/plugins";
import { impair, linkPair, seededRandom, VirtualClock } from "@berth/berth/testing";

const BYTES = 1_000_000;

/** Downloads 1 MB over 20 Mbit/s with an RTT of 40 ms and the packet loss rate `loss`. */
export async function download(
  loss: number,
  seed = 1,
): Promise<{ ms: number; retransmits: number }> {
  const clock = new VirtualClock();
  const random = seededRandom(seed);
  const [here, there] = linkPair({ queue: 10_000 });
  const path = impair(here, {
    clock,
    seed,
    delayMs: 20,
    loss,
    bitsPerSecond: 20_000_000,
    incoming: { delayMs: 20 },
  });
  const tcp = { profile: "internet" as const };
  await using server = createStack({
    link: path,
    addresses: ["10.0.0.1/24"],
    clock,
    random,
    tcp,
  });
  let accepted: TcpSocket | undefined;
  server.use(19, ({ socket }, next) => (accepted = socket, next()), chargen({ limit: BYTES }));
  await using client = createStack({
    link: there,
    addresses: ["10.0.0.2/24"],
    clock,
    random,
    tcp,
  });
  const socket = client.connect("10.0.0.1:19");
  const received = await clock.runUntil(new Response(socket.readable).arrayBuffer());
  if (received.byteLength !== BYTES) throw new Error(`${received.byteLength} bytes arrived`);
  return { ms: clock.now(), retransmits: accepted!.stats().retransmits };
}

if (import.meta.main) {
  for (const loss of [0, 0.001, 0.01, 0.05]) {
    const { ms, retransmits } = await download(loss);
    const rate = (BYTES * 8 / ms / 1000).toFixed(1);
    console.log(`${loss * 100} % loss: ${rate} Mbit/s, ${retransmits} retransmissions`);
  }
}
