/**
 * A link for WebSocket clients that connect to a port of the host, one at a time.
 *
 * @module
 */
import { type Context, Hono } from "hono";
import type { Logger } from "../../../core/api/environment.ts";
import { formatHostPort, type HostPort } from "../../../core/api/host_port.ts";
import { createStack } from "../../../core/api/stack.ts";
import { IpAddress } from "../../../core/wire/address.ts";
import { http } from "../../../plugins/http.ts";
import { upgradeWebSocket, type WebSocketEvents } from "../../../plugins/http/websocket.ts";
import { dialStack } from "../../../plugins/shared/stack_dial.ts";
import { linkPair } from "../../links/memory.ts";
import { WebSocketLink } from "../../links/web_socket.ts";
import { packetSocket } from "../../links/web_socket_events.ts";
import { type Connect, type Publication, publish } from "../publish/publish.ts";

/** Options of {@link listenForWebSockets}. */
export interface WebSocketServerOptions {
  /** A port of the host; 0 for any free one. */
  readonly listen: HostPort;
  /** Origins of pages that may connect, besides the server's own: `http://localhost:3000`. */
  readonly origins: readonly string[];
  /** Largest IP packet, in bytes. */
  readonly mtu: number;
  /** Logs clients that connect. */
  readonly log: Logger;
}

/**
 * A link to the client that connected last. It stays open when the client leaves.
 *
 * @throws {Error} The port cannot be opened.
 */
export async function listenForWebSockets(options: WebSocketServerOptions): Promise<WebSocketLink> {
  const link = new AttachableLink(options);
  await link.open();
  return link;
}

/** Close code for a client that another one replaced; 4000 and above are private (RFC 6455 7.4.2). */
const REPLACED = 4000;
/** The server is a stack on a memory link of its own; its port is published. */
const [SERVER, CLIENT] = ["10.0.0.1", "10.0.0.2"];
const SERVER_PORT = 80;

class AttachableLink extends WebSocketLink {
  override name = "websocket";
  readonly #options: WebSocketServerOptions;
  readonly #stacks: { close(): Promise<void> }[] = [];
  #publication: Publication | undefined;

  constructor(options: WebSocketServerOptions) {
    super({ mtu: options.mtu });
    this.#options = options;
  }

  /** Opens the port. */
  async open(): Promise<void> {
    const { listen, log } = this.#options;
    const [inner, outer] = linkPair({ mtu: 65_535 });
    const server = createStack({ link: inner, addresses: [`${SERVER}/24`], log });
    const client = createStack({ link: outer, addresses: [`${CLIENT}/24`], log });
    this.#stacks.push(server, client);
    server.use(SERVER_PORT, http(this.#app()));
    try {
      const to = { hostname: SERVER, port: SERVER_PORT };
      const connect: Connect = (address, signal) => dialStack(client, address, signal);
      this.#publication = await publish({ ...listen, to }, connect, log);
      this.name = `websocket ${formatHostPort(this.#publication.address)}`;
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  override async close(): Promise<void> {
    await super.close();
    this.#publication?.stopListening();
    // Waits until the Close frame has been sent.
    await Promise.all(this.#stacks.map((stack) => stack.close()));
    await this.#publication?.finish(0);
  }

  #app(): Hono {
    const attach = upgradeWebSocket(() => this.#events());
    return new Hono().get("*", (c, next) => {
      if (this.#mayAttach(c)) return attach(c, next);
      return Promise.resolve(c.text("pages of this origin may not connect\n", 403));
    });
  }

  /** Browsers send the origin of the page; other programs send none, or any text. */
  #mayAttach(c: Context): boolean {
    const origin = c.req.header("Origin");
    return origin === undefined || this.#options.origins.includes(origin) ||
      isSameSite(origin, c.req.header("Host"));
  }

  #events(): WebSocketEvents {
    let socket: ReturnType<typeof packetSocket>;
    const detach = () => {
      const current = this.attach(undefined);
      if (current !== socket) this.attach(current);
    };
    return {
      onOpen: (_event, ws) => {
        socket = packetSocket(ws);
        this.attach(socket)?.close(REPLACED, "another client has connected");
        this.#options.log.info("WebSocket client connected", { link: this.name });
      },
      onMessage: ({ data }) => this.take(data),
      onClose: detach,
      onError: detach,
    };
  }
}

/**
 * Whether a page was loaded from the host that it connects to. A host name is no proof: its owner can
 * make it resolve to this host after the page has been loaded (DNS rebinding).
 */
function isSameSite(origin: string, host: string | undefined): boolean {
  const page = URL.parse(origin);
  if (page === null || page.host !== host) return false;
  const hostname = page.hostname.replace(/^\[|\]$/g, "");
  return hostname === "localhost" || IpAddress.parse(hostname) !== undefined;
}
