import { afterEach, describe, expect } from "bun:test";
import { connect, type Socket } from "node:net";
import { type HostListener, listenHost, listenRuntime } from "../../../adapters/host/listen.ts";
import { listenNative } from "../../../adapters/host/native/listener.ts";
import { nativeSockets } from "../../../adapters/host/native/sockets.ts";
import { silentLogger } from "../../../core/api/environment.ts";
import type { HostPort } from "../../../core/api/host_port.ts";
import type { Duplex } from "../../../plugins/shared/relay.ts";
import { codeOf } from "../../support/conversation.ts";
import { type Requirement, testRequiring } from "../../support/requirements.ts";

interface Accepted {
  readonly connection: Duplex;
  readonly client: HostPort | undefined;
}

const cleanups: (() => unknown)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

function connected(port: number, host = "127.0.0.1"): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port }, () => resolve(socket));
    socket.once("error", reject);
    cleanups.push(() => socket.destroy());
  });
}

const implementations: [string, typeof listenHost, readonly Requirement[]][] = [
  ["node:net", listenRuntime, []],
  [
    "foreign functions",
    (place, options) => Promise.try(() => listenNative(nativeSockets()!, place, options)),
    ["native-sockets"],
  ],
];

for (const [name, listen, needs] of implementations) {
  const open = async (place: HostPort): Promise<[HostListener, Promise<Accepted>]> => {
    const { promise, resolve } = Promise.withResolvers<Accepted>();
    const onConnection = (connection: Duplex, client: HostPort | undefined) => {
      cleanups.push(() => connection.abort());
      resolve({ connection, client });
    };
    const listener = await listen(place, { log: silentLogger, onConnection });
    cleanups.push(() => listener.close());
    return [listener, promise];
  };

  describe(`a listener by ${name}`, () => {
    // Port 0: the kernel chooses one.
    testRequiring(needs, "reports the port and the client's address", async () => {
      const [{ address }, accepted] = await open({ hostname: "127.0.0.1", port: 0 });
      expect(address.hostname).toBe("127.0.0.1");
      const socket = await connected(address.port);
      const { client } = await accepted;
      expect(client).toEqual({ hostname: "127.0.0.1", port: socket.localPort! });
    });

    // ::1 to ::1.
    testRequiring([...needs, "ipv6"], "accepts over IPv6", async () => {
      const [{ address }, accepted] = await open({ hostname: "::1", port: 0 });
      await connected(address.port, "::1");
      expect((await accepted).client?.hostname).toBe("::1");
    });

    // The second listener on the same port.
    testRequiring(needs, "rejects with EADDRINUSE", async () => {
      const [{ address }] = await open({ hostname: "127.0.0.1", port: 0 });
      expect(await codeOf(open(address))).toBe("EADDRINUSE");
    });

    // An address of documentation (RFC 5737), which no host has; Deno reports EINVAL.
    testRequiring(needs, "rejects an address that the host does not have", async () => {
      const code = await codeOf(open({ hostname: "192.0.2.1", port: 0 }));
      expect(code).toMatch(/EADDRNOTAVAIL|EINVAL/);
    });

    // The port is closed while a connection is open.
    testRequiring(needs, "leaves open connections alone when it closes", async () => {
      const [listener, accepted] = await open({ hostname: "127.0.0.1", port: 0 });
      const socket = await connected(listener.address.port);
      const { connection } = await accepted;
      listener.close();
      expect(await codeOf(connected(listener.address.port))).toBe("ECONNREFUSED");
      socket.write("x");
      expect(await connection.read(new Uint8Array(1))).toBe(1);
    });
  });
}
