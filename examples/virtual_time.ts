/**
 * Tests a plugin in virtual time: an idle connection of ten minutes takes milliseconds, and every run is the same.
 * Use the body of this program in a test of your test runner.
 *
 *     deno run -A examples/virtual_time.ts
 *
 * @module
 */
import { createStack, TcpError } from "@berth/berth";
import { timeout } from "@berth/berth/middleware";
import { echo } from "@berth/berth/plugins";
import { linkPair, seededRandom, VirtualClock } from "@berth/berth/testing";

const clock = new VirtualClock();
const random = seededRandom(1);
const [here, there] = linkPair();
await using server = createStack({ link: here, addresses: ["10.0.0.1/24"], clock, random });
server.use(7, timeout({ idleMs: 600_000 }), echo());
await using client = createStack({ link: there, addresses: ["10.0.0.2/24"], clock, random });

const socket = client.connect("10.0.0.1:7");
await clock.runUntil(socket.opened);
await clock.runUntil(socket.write(new TextEncoder().encode("ahoy")));
const received = await clock.runUntil(socket.read(new Uint8Array(16)));
console.assert(received === 4);

// After nine idle minutes the connection is still open.
await clock.advance(540_000);
console.assert(socket.state === "ESTABLISHED");

// The middleware checks every quarter of the timeout, so it closes the connection within 12.5
// minutes.
const ending = await clock.runUntil(
  socket.closed.then(() => "closed", (error: TcpError) => error.code),
);
console.log(`after ${clock.now() / 1000} s of virtual time: ${ending}`);
