/**
 * Helpers for tests of proxies: a host that knows one name, and a client's connection.
 *
 * @module
 */
import type { VirtualClock } from "../../adapters/runtime/virtual_clock.ts";
import type { HostPort } from "../../core/api/host_port.ts";
import type { Plugin } from "../../core/api/types.ts";
import type { HostNetwork } from "../../plugins/shared/host_network.ts";
import { type FakeSocket, type LogLine, socketPair, testContext } from "./fake_socket.ts";

/** Result of {@link proxyHost}. */
export interface ProxyHost {
  host: HostNetwork;
  /** The host's end of every connection. */
  upstream: FakeSocket;
  /** The other end. */
  target: FakeSocket;
  /** Targets of the connections. */
  dialled: HostPort[];
}

/** A host whose connections lead to one end of a pair, and which resolves only `example.org`. */
export function proxyHost(overrides: Partial<HostNetwork> = {}): ProxyHost {
  const { client: upstream, server: target } = socketPair();
  const dialled: HostPort[] = [];
  const host: HostNetwork = {
    resolve: (name) =>
      name === "example.org"
        ? Promise.resolve(["192.0.2.1"])
        : Promise.reject(new Error("ENOTFOUND")),
    dial: (to) => {
      dialled.push(to as HostPort);
      return Promise.resolve(upstream);
    },
    dialDatagrams: () => Promise.reject(new Error("there is no UDP in this test")),
    ...overrides,
  };
  return { host, upstream, target, dialled };
}

/** A client of the plugin. */
export interface ProxyClient {
  client: FakeSocket;
  clock: VirtualClock;
  lines: LogLine[];
  /** Resolves when the plugin has returned. */
  served: Promise<void>;
}

/** A connection to a plugin, closed when the plugin has returned. */
export function connectTo(plugin: Plugin): ProxyClient {
  const { client, server } = socketPair();
  const { context, clock, lines } = testContext(server);
  const served = Promise.resolve(plugin.handle!(context, () => Promise.resolve()));
  return { client, clock, lines, served: served.then(() => void server.close().catch(() => {})) };
}
