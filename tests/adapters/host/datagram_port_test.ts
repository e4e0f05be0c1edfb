import { createSocket, type Socket } from "node:dgram";
import { afterEach, describe, expect, test } from "bun:test";
import {
  type DatagramClient,
  type HostDatagramPort,
  listenHostDatagrams,
  listenRuntimeDatagrams,
} from "../../../adapters/host/datagram_port.ts";
import { testRequiring } from "../../support/requirements.ts";

const open: { close(): unknown }[] = [];
afterEach(() => {
  for (const each of open.splice(0)) each.close();
});

/** A port that answers in upper case, and the clients that it has seen. */
async function answering(listen: typeof listenHostDatagrams, hostname: string) {
  const clients: DatagramClient[] = [];
  const port: HostDatagramPort = await listen({ hostname, port: 0 }, {
    onError() {},
    onDatagram(datagram, client) {
      clients.push(client);
      const text = new TextDecoder().decode(datagram).toUpperCase();
      void port.send(new TextEncoder().encode(text), client);
    },
  });
  open.push(port);
  return { port, clients };
}

async function client(): Promise<Socket> {
  const socket = createSocket("udp4");
  open.push(socket);
  await new Promise<void>((bound) => socket.bind(0, "127.0.0.1", bound));
  return socket;
}

function ask(socket: Socket, port: number, text: string): Promise<string> {
  return new Promise((resolve) => {
    socket.once("message", (answer) => resolve(answer.toString()));
    socket.send(text, port, "127.0.0.1");
  });
}

const WAYS = [
  ["the kernel's sockets", listenHostDatagrams],
  ["node:dgram", listenRuntimeDatagrams],
] as const;

for (const [name, listen] of WAYS) {
  describe(`a UDP port by ${name}`, () => {
    test("answers each client", async () => {
      const { port, clients } = await answering(listen, "127.0.0.1");
      const [one, other] = [await client(), await client()];
      expect(await ask(one, port.address.port, "ahoy")).toBe("AHOY");
      expect(await ask(other, port.address.port, "aye")).toBe("AYE");
      expect(clients.map(({ hostname, port }) => [hostname, port])).toEqual([
        ["127.0.0.1", one.address().port],
        ["127.0.0.1", other.address().port],
      ]);
    });

    // A port on `::` serves IPv4 clients, too, like a TCP socket.
    testRequiring(["ipv6"], "of :: answers IPv4 clients", async () => {
      const { port } = await answering(listen, "::");
      expect(await ask(await client(), port.address.port, "ahoy")).toBe("AHOY");
    });

    // An IPv4 client of an IPv6 socket has a mapped address (RFC 4291 2.5.5.2).
    testRequiring(["ipv6"], "of :: sends to an IPv4 address", async () => {
      const { port } = await answering(listen, "::");
      const socket = await client();
      const heard = new Promise<string>((resolve) =>
        socket.once("message", (datagram) => resolve(datagram.toString()))
      );
      const to = { hostname: "127.0.0.1", port: socket.address().port };
      await port.send(new TextEncoder().encode("ahoy"), port.clientAt(to));
      expect(await heard).toBe("ahoy");
    });

    testRequiring(["ipv6"], "of :: leaves IPv4 to others if it is ipv6Only", async () => {
      const port = await listen({ hostname: "::", port: 0 }, {
        ipv6Only: true,
        onError() {},
        onDatagram() {},
      });
      open.push(port);
      const other = { hostname: "127.0.0.1", port: port.address.port };
      open.push(await listen(other, { onError() {}, onDatagram() {} }));
    });

    // The sender is cached between datagrams, but the next datagram may have another one.
    test("distinguishes clients that take turns", async () => {
      const { port, clients } = await answering(listen, "127.0.0.1");
      const [one, other] = [await client(), await client()];
      for (const socket of [one, one, other, one]) await ask(socket, port.address.port, "ahoy");
      const [first, second] = [one.address().port, other.address().port];
      expect(clients.map(({ port }) => port)).toEqual([first, first, second, first]);
    });

    test("that is in use is refused", async () => {
      const { port } = await answering(listen, "127.0.0.1");
      const again = listen(port.address, { onError() {}, onDatagram() {} });
      expect(await again.catch(({ code }) => code)).toBe("EADDRINUSE");
    });
  });
}

// The port then receives the datagrams that have arrived in the meantime, unless another process has received them.
testRequiring(["native-sockets"], "a paused UDP port receives again", async () => {
  const { port } = await answering(listenHostDatagrams, "127.0.0.1");
  const socket = await client();
  expect(await ask(socket, port.address.port, "one")).toBe("ONE");
  port.pause();
  const answer = ask(socket, port.address.port, "two");
  await ask(socket, (await answering(listenHostDatagrams, "127.0.0.1")).port.address.port, "x");
  port.resume();
  await answer;
  expect(await ask(socket, port.address.port, "three")).toMatch(/TWO|THREE/);
});

describe("a client with a socket of its own", () => {
  // The port is paused as if another process received from it; the other client's datagram waits for that process.
  testRequiring(["native-sockets"], "is answered while the port is paused", async () => {
    const { port, clients } = await answering(listenHostDatagrams, "127.0.0.1");
    const [own, other] = [await client(), await client()];
    expect(await ask(own, port.address.port, "a")).toBe("A");
    const separate = port.separate!(clients[0]!)!;
    port.handOver!();
    const waiting = ask(other, port.address.port, "b");
    expect(await ask(own, port.address.port, "c")).toBe("C");
    expect(clients.map((one) => one.port)).toEqual(Array(2).fill(own.address().port));
    port.resume();
    expect(await waiting).toBe("B");
    separate.close();
    expect(await ask(own, port.address.port, "d")).toBe("D");
  });

  // Two sockets have the port; a third would take datagrams of all clients.
  testRequiring(["native-sockets"], "leaves the port closed to other programs", async () => {
    const { port, clients } = await answering(listenHostDatagrams, "127.0.0.1");
    const own = await client();
    await ask(own, port.address.port, "a");
    open.push(port.separate!(clients[0]!)!);
    const thief = createSocket({ type: "udp4", reuseAddr: true });
    const outcome = new Promise<string>((resolve) => {
      thief.once("error", ({ code }: Error & { code?: string }) => resolve(`${code}`));
      thief.bind(port.address.port, "127.0.0.1", () => resolve("bound"));
    });
    expect(await outcome).toBe("EADDRINUSE");
  });
});
