/**
 * Feeds TLS servers handshakes and records that were changed in transit.
 *
 * @module
 */
import { tls, type TlsCertificate, type TlsOptions } from "../../adapters/plugins/tls.ts";
import { PeerFaultError, TcpError } from "../../core/api/errors.ts";
import type { Next, Plugin, TcpSocket } from "../../core/api/types.ts";
import { OpenSslClient } from "../adapters/plugins/tls/openssl/client.ts";
import { type FakeSocket, settle, socketPair, testContext } from "../support/fake_socket.ts";
import { Dice } from "./dice.ts";
import { damage } from "./http2_episode.ts";

/** Number of clients between two undisturbed ones. */
const CLIENTS_BETWEEN = 20;
/** Rounds of the event loop without progress after which a disturbed client gives up. */
const PATIENCE = { openssl: 1, runtime: 100 };
const RECORD_HEADER_BYTES = 5;
const CONTENT_TYPES = [20, 21, 22, 23, 24, 0, 255];

/** Connects clients to a server; throws on a finding. */
export class TlsEpisode {
  readonly #dice: Dice;
  readonly #plugin: Plugin;
  readonly #patience: number;
  /** Number of flights sent by clients. */
  inputs = 0;
  /** Number of flights changed in transit. */
  changed = 0;
  /** Number of completed handshakes. */
  secured = 0;
  /** Number of handshakes and conversations that the server ended, by the logged reason. */
  readonly faults: Map<string, number> = new Map();

  constructor(seed: number, certificate: TlsCertificate, engine: TlsOptions["engine"] & string) {
    this.#dice = new Dice(seed);
    this.#plugin = tls({ certificates: [certificate], engine });
    this.#patience = PATIENCE[engine];
  }

  /** Feeds at least this number of inputs. */
  async run(inputs: number): Promise<void> {
    for (const end = this.inputs + inputs; this.inputs < end;) {
      for (let i = 0; i < CLIENTS_BETWEEN; i++) await this.#disturb();
      await this.#askUndisturbed();
    }
  }

  /** A client whose flights are changed, starting at a random one. */
  async #disturb(): Promise<void> {
    const dice = this.#dice;
    let untouched = dice.below(5);
    const session = this.#open((flight) => {
      if (untouched-- > 0 || dice.chance(0.2)) return flight;
      this.changed++;
      return this.#change(flight);
    });
    const text = this.#text();
    const talk = (async () => {
      if (dice.chance(0.1)) await session.socket.write(this.#garbage());
      if (!await session.client.handshake()) return;
      for (let i = dice.below(4); i >= 0; i--) {
        session.sent += text;
        if (dice.chance(0.1)) session.client.updateKeys();
        session.client.write(new TextEncoder().encode(text));
        await session.client.flush();
        await session.client.read();
      }
      if (dice.chance(0.5)) await session.client.end();
    })().catch(() => {});
    await Promise.race([
      talk,
      session.socket.closed.catch(() => {}),
      idle(session.socket, this.#patience),
    ]);
    session.socket.abort();
    await talk;
    await this.#end(session);
    check(session.sent.startsWith(session.received), "the next plugin reads what the client wrote");
  }

  /** Proves that earlier clients have left nothing behind. */
  async #askUndisturbed(): Promise<void> {
    const session = this.#open((flight) => flight);
    check(await session.client.handshake(), "an undisturbed handshake succeeds");
    const text = this.#text();
    session.client.write(new TextEncoder().encode(text));
    await session.client.flush();
    let answer = "";
    while (answer.length < text.length) {
      const chunk = await session.client.read();
      check(chunk !== undefined, "an undisturbed client is answered");
      answer += new TextDecoder().decode(chunk);
    }
    check(answer === text && session.received === text, "an undisturbed client gets its own text");
    session.socket.abort();
    await this.#end(session);
  }

  #open(tamper: (flight: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>): Session {
    const readSize = this.#dice.chance(0.2) ? 1 + this.#dice.below(100) : Infinity;
    const { client: socket, server } = socketPair({ readSize });
    const { context, lines } = testContext(server);
    const session: Session = { socket, sent: "", received: "", lines, ...EMPTY };
    session.client = new OpenSslClient(socket, (flight) => {
      this.inputs++;
      return tamper(flight);
    });
    const next: Next = (inner) => this.#echo(inner as TcpSocket, session);
    session.served = Promise.resolve(this.#plugin.handle!(context, next)).catch((error) => {
      const isExpected = error instanceof PeerFaultError || error instanceof TcpError;
      check(isExpected, `only expected errors are thrown, not ${error}`);
    });
    return session;
  }

  async #echo(socket: TcpSocket, session: Session): Promise<void> {
    this.secured++;
    const chunk = new Uint8Array(16_384);
    for (let size = await socket.read(chunk); size !== null; size = await socket.read(chunk)) {
      const bytes = chunk.slice(0, size);
      session.received += new TextDecoder().decode(bytes);
      await socket.write(bytes);
    }
  }

  async #end({ client, served, lines }: Session): Promise<void> {
    await served;
    client[Symbol.dispose]();
    for (const { level, message, fields } of lines) {
      check(level === "info" || level === "debug", `nothing is logged but ${message}`);
      const reason = String(fields?.["reason"]);
      this.faults.set(reason, (this.faults.get(reason) ?? 0) + 1);
    }
  }

  #text(): string {
    const dice = this.#dice;
    const length = dice.chance(0.9) ? 1 + dice.below(200) : 1 + dice.below(40_000);
    return String.fromCharCode(97 + dice.below(26)).repeat(length);
  }

  #garbage(): Uint8Array<ArrayBuffer> {
    return Uint8Array.from({ length: 1 + this.#dice.below(600) }, () => this.#dice.byte());
  }

  #change(flight: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    const dice = this.#dice;
    if (flight.length === 0) return flight;
    switch (dice.below(7)) {
      case 0:
        return concatenated(flight, this.#garbage());
      case 1:
        return concatenated(flight, flight);
      case 2: {
        const record = Uint8Array.of(dice.of(CONTENT_TYPES), 3, dice.below(5), 0, 0);
        const body = this.#garbage();
        new DataView(record.buffer).setUint16(
          3,
          dice.chance(0.8) ? body.length : dice.below(65_536),
        );
        const whole = concatenated(record, body);
        return dice.chance(0.5) ? concatenated(whole, flight) : concatenated(flight, whole);
      }
      case 3: {
        const changed = flight.slice();
        changed[dice.below(RECORD_HEADER_BYTES)] = dice.byte();
        return changed;
      }
      case 4:
        return flight.slice(0, dice.below(flight.length));
      default:
        return new Uint8Array(damage(dice, flight));
    }
  }
}

/** A client and what its server has received. */
interface Session {
  readonly socket: FakeSocket;
  client: OpenSslClient;
  served: Promise<void>;
  readonly lines: ReturnType<typeof testContext>["lines"];
  sent: string;
  received: string;
}

const EMPTY = { client: undefined as unknown as OpenSslClient, served: Promise.resolve() };

/** Resolves when the server has neither read nor written for a while. */
async function idle(socket: FakeSocket, patience: number): Promise<void> {
  let seen = -1;
  for (let rounds = 0; rounds < patience; rounds++) {
    await settle();
    const moved = socket.bytesRead + socket.peer!.bytesRead;
    if (moved !== seen) rounds = 0;
    seen = moved;
  }
}

function concatenated(one: Uint8Array, other: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(one.length + other.length);
  both.set(one);
  both.set(other, one.length);
  return both;
}

function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(`it does not hold that ${what}`);
}
