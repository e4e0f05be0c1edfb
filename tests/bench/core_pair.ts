/**
 * Two cores with a connection between them; packets are delivered at once, without passing time.
 *
 * @module
 */
import { bindingOf } from "../../core/api/listen_address.ts";
import { OutgoingPacket } from "../../core/buffers/outgoing_packet.ts";
import type { LinkFeatures } from "../../core/stack/link.ts";
import { CoreStack, SECRET_LENGTH } from "../../core/stack/stack.ts";
import type { Listener } from "../../core/stack/tcp/listener.ts";
import { PROFILES } from "../../core/tcp/config.ts";
import type { Tcb } from "../../core/tcp/tcb.ts";
import { IpAddress, Subnet } from "../../core/wire/address.ts";

/** Features of the link, besides its MTU. */
export type Shape = Pick<LinkFeatures, "maxSuperPacket" | "checksumOffload">;

const CLIENT = Subnet.parse("10.0.0.1/24")!;
const SERVER = Subnet.parse("10.0.0.2/24")!;
const PORT = 7;
const CHUNK = 64 * 1024;

/** A client that sends and a server that reads. */
export class CorePair {
  /** Number of segments with text received by the server. */
  segments = 0;
  readonly #client: CoreStack;
  readonly #server: CoreStack;
  readonly #here: Tcb;
  readonly #there: Tcb;
  readonly #out = new OutgoingPacket();
  readonly #packet = new Uint8Array(0x10000);
  readonly #shape: Shape;
  readonly #text = new Uint8Array(CHUNK);
  #now = 1000;

  constructor(profile: "local" | "internet", shape: Shape) {
    this.#shape = shape;
    this.#client = stackOf(profile, shape, CLIENT);
    this.#server = stackOf(profile, shape, SERVER);
    const request = { ...bindingOf(PORT), backlog: 1, decides: false };
    const listener = this.#server.tcp.listen(request) as Listener;
    this.#here = this.#client.tcp.connect({
      remote: IpAddress.parse("10.0.0.2")!,
      remotePort: PORT,
      local: undefined,
      localPort: 0,
    }, this.#now) as Tcb;
    this.#deliver();
    this.#there = listener.ready.shift()!;
    this.#there.listener = undefined;
  }

  /** Sends `bytes`, which the server reads. */
  move(bytes: number): void {
    for (let [sent, read] = [0, 0]; read < bytes;) {
      const piece = Math.min(CHUNK, bytes - sent);
      if (piece > 0) {
        sent += this.#client.tcp.send(
          this.#here,
          piece < CHUNK ? this.#text.subarray(0, piece) : this.#text,
          0,
          this.#now,
        );
      }
      this.#deliver();
      for (let count = -1; count !== 0;) {
        count = this.#server.tcp.read(this.#there, this.#text, this.#now);
        read += count;
      }
      this.#deliver();
      this.#pass();
    }
  }

  /** Sends a message and receives an answer of the same size. */
  exchange(size: number): void {
    const message = size === this.#text.length ? this.#text : this.#text.subarray(0, size);
    this.#client.tcp.send(this.#here, message, 0, this.#now);
    this.#deliver();
    this.#server.tcp.read(this.#there, message, this.#now);
    this.#server.tcp.send(this.#there, message, 0, this.#now);
    this.#deliver();
    this.#client.tcp.read(this.#here, message, this.#now);
    this.#deliver();
    this.#pass();
  }

  /** Advances the time a little, so that delayed ACKs are sent. */
  #pass(): void {
    this.#now += 0.05;
    for (const stack of [this.#client, this.#server]) {
      if (stack.nextTimeout() <= this.#now) stack.handleTimeout(this.#now);
    }
  }

  #deliver(): void {
    for (let moved = true; moved;) {
      moved = this.#carry(this.#client, this.#server);
      moved = this.#carry(this.#server, this.#client) || moved;
    }
  }

  #carry(from: CoreStack, to: CoreStack): boolean {
    let moved = false;
    const out = this.#out;
    while (from.pollTransmit(out, this.#now)) {
      moved = true;
      const size = out.copyTo(this.#packet, 0);
      const text = size - out.headerLength;
      if (text > 0) this.segments += out.segmentSize > 0 ? Math.ceil(text / out.segmentSize) : 1;
      const checksum = this.#shape.checksumOffload ? "partial" : "full";
      to.receive(this.#packet, size, checksum, out.segmentSize, this.#now);
    }
    while (to.tcp.pollConnection() !== undefined || to.tcp.pollListener() !== undefined);
    return moved;
  }
}

function stackOf(profile: "local" | "internet", shape: Shape, subnet: Subnet): CoreStack {
  return new CoreStack({
    features: { mtu: 1500, ...shape },
    subnets: [subnet],
    tcp: PROFILES[profile],
    secret: new Uint8Array(SECRET_LENGTH).fill(subnet.address.w3),
    maxConnections: 10,
    maxTimeWait: 10,
  });
}
