import { describe, expect, test } from "bun:test";
import type { TcpError } from "../../../../core/api/errors.ts";
import { bytes, codeOf, StackPair } from "../stack_pair.ts";

const text = (data: Uint8Array) => new TextDecoder().decode(data);

describe("DatagramConn", () => {
  // In both directions, over both families.
  test("sends and receives datagrams with their addresses (RFC 768)", async () => {
    await using pair = new StackPair();
    const server = pair.server.listenDatagram({ port: 53 });
    const client = pair.client.listenDatagram({ port: 4000 });
    expect(server.addr).toEqual({ transport: "udp", hostname: "0.0.0.0", port: 53 });
    for (const [own, peer] of [["10.0.0.1", "10.0.0.2"], ["fd00::1", "fd00::2"]] as const) {
      const to = { transport: "udp", hostname: peer, port: 53 } as const;
      expect(await client.send(bytes("ahoy"), to)).toBe(4);
      const [data, from] = await pair.run(server.receive());
      expect(text(data)).toBe("ahoy");
      expect(from).toEqual({ transport: "udp", hostname: own, port: 4000, local: to });
      await server.send(bytes("aye"), from);
      const [answer, { hostname, port }] = await pair.run(client.receive());
      expect([text(answer), hostname, port]).toEqual(["aye", peer, 53]);
    }
  });

  // The answer comes from the destination address and port of the request.
  test("answers from the destination address of the request", async () => {
    await using pair = new StackPair();
    pair.server.addAddress("10.0.0.77/24");
    const server = pair.server.listenDatagram({ port: "50-60" });
    const client = pair.client.listenDatagram({ port: 4000 });
    for (const place of ["10.0.0.2:53", "10.0.0.77:60", "[fd00::2]:50"]) {
      await client.send(bytes("?"), place);
      const [, from] = await pair.run(server.receive());
      await server.send(bytes("!"), from);
      const [, answerer] = await pair.run(client.receive());
      expect(answerer).toMatchObject({ ...from.local! });
    }
    // Otherwise the source port would be ambiguous.
    expect(await codeOf(server.send(bytes("x"), "10.0.0.1:4000"))).toBe("INVALID_ADDRESS");
  });

  // All datagrams in order, until the socket is closed.
  test("can be iterated over (Deno.DatagramConn)", async () => {
    await using pair = new StackPair();
    const server = pair.server.listenDatagram({ port: 53, hostname: "10.0.0.2" });
    const client = pair.client.listenDatagram({ port: 0 });
    expect(client.addr.port).toBeGreaterThanOrEqual(49_152);
    for (let i = 0; i < 5; i++) await client.send(bytes(String(i)), server.addr);
    const seen: string[] = [];
    await pair.run((async () => {
      for await (const [data] of server) {
        if (seen.push(text(data)) === 5) server.close();
      }
    })());
    expect(seen).toEqual(["0", "1", "2", "3", "4"]);
  });

  // recv(2) does the same.
  test("receives into a buffer, and truncates what does not fit", async () => {
    await using pair = new StackPair();
    const server = pair.server.listenDatagram({ port: 53 });
    const client = pair.client.listenDatagram({ port: 0 });
    const buffer = new Uint8Array(3);
    const waiting = server.receive(buffer);
    await client.send(bytes("ahoy"), "10.0.0.2:53");
    const [data] = await pair.run(waiting);
    expect(text(data)).toBe("aho");
    expect(data.buffer).toBe(buffer.buffer);
  });

  // Empty datagrams arrive too; the longest are fragmented.
  test("carries every size (RFC 768, RFC 8200 3)", async () => {
    await using pair = new StackPair();
    const server = pair.server.listenDatagram({ port: 53 });
    const client = pair.client.listenDatagram({ port: 0 });
    for (const [peer, longest] of [["10.0.0.2", 65_507], ["fd00::2", 65_527]] as const) {
      for (const size of [0, 1, 1472, 1473, 9000, longest]) {
        const sent = Uint8Array.from({ length: size }, (_, i) => i * 7);
        await client.send(sent, { hostname: peer, port: 53 });
        const [data] = await pair.run(server.receive());
        expect(data).toEqual(sent);
      }
      const tooLong = client.send(new Uint8Array(longest + 1), { hostname: peer, port: 53 });
      expect(await codeOf(tooLong)).toBe("MESSAGE_TOO_LONG");
    }
  });

  // A duplicate binding and a foreign address are refused; different bindings coexist.
  test("requires a free binding", async () => {
    await using pair = new StackPair();
    const listen = (port: number | string, hostname?: string) => {
      try {
        pair.server.listenDatagram(hostname === undefined ? { port } : { port, hostname });
        return "taken";
      } catch (error) {
        return (error as TcpError).code ?? (error as Error).message;
      }
    };
    expect(listen(53)).toBe("taken");
    expect(listen(53)).toBe("ADDRESS_IN_USE");
    expect(listen(53, "10.0.0.2")).toBe("taken");
    expect(listen(54, "10.0.0.3")).toBe("ADDRESS_NOT_AVAILABLE");
    expect(listen("*")).toBe("taken");
    expect(listen(70_000)).toContain("70000 is not a port");
    // TCP ports are separate.
    pair.server.listen({ port: 53 });
  });

  // Pending receives end, and the port can be bound again.
  test("ends pending receives and frees the port when closed", async () => {
    await using pair = new StackPair();
    const controller = new AbortController();
    const server = pair.server.listenDatagram({ port: 53, signal: controller.signal });
    const waiting = codeOf(server.receive());
    controller.abort();
    expect(await waiting).toBe("LISTENER_CLOSED");
    expect(await codeOf(server.receive())).toBe("LISTENER_CLOSED");
    expect(await codeOf(server.send(bytes("x"), "10.0.0.1:1"))).toBe("LISTENER_CLOSED");
    using again = pair.server.listenDatagram({ port: 53 });
    expect(again.addr.port).toBe(53);
    const aborted = pair.server.listenDatagram({ port: 54, signal: AbortSignal.abort() });
    expect(await codeOf(aborted.receive())).toBe("LISTENER_CLOSED");
  });

  // Closing the stack closes every socket.
  test("is closed with its stack", async () => {
    await using pair = new StackPair();
    const server = pair.server.listenDatagram({ port: 53 });
    const waiting = codeOf(server.receive());
    await pair.run(pair.server.close());
    expect(await waiting).toBe("LISTENER_CLOSED");
    expect(() => pair.server.listenDatagram({ port: 54 })).toThrow("closed");
  });

  // Closed port: the pending receive rejects, and the socket stays usable.
  test("reports ICMP errors (RFC 1122 4.1.3.3)", async () => {
    await using pair = new StackPair();
    const reported = Promise.withResolvers<TcpError>();
    const client = pair.client.listenDatagram({ port: 4000, onError: reported.resolve });
    await client.send(bytes("x"), "10.0.0.2:53");
    const { code, local, remote, message } = await pair.run(reported.promise);
    expect(code).toBe("CONNECTION_REFUSED");
    expect([local?.port, remote?.hostname, remote?.port]).toEqual([4000, "10.0.0.2", 53]);
    expect(message).toContain("nothing is listening on 10.0.0.2:53");
    const server = pair.server.listenDatagram({ port: 53 });
    await client.send(bytes("y"), "10.0.0.2:53");
    expect(text((await pair.run(server.receive()))[0])).toBe("y");
  });

  // Other source addresses are refused.
  test("sends only from its own binding", async () => {
    await using pair = new StackPair();
    pair.server.addAddress("10.0.0.77/24");
    const server = pair.server.listenDatagram({ port: 53, hostname: "10.0.0.2" });
    const to = (hostname: string, port: number) => ({
      transport: "udp" as const,
      hostname: "10.0.0.1",
      port: 9,
      local: { transport: "udp" as const, hostname, port },
    });
    expect(await codeOf(server.send(bytes("x"), to("10.0.0.77", 53)))).toBe(
      "ADDRESS_NOT_AVAILABLE",
    );
    expect(await codeOf(server.send(bytes("x"), to("10.0.0.2", 54)))).toBe("ADDRESS_NOT_AVAILABLE");
    expect(await codeOf(server.send(bytes("x"), to("10.0.0.2", 53)))).toBe("none");
    expect(await codeOf(server.send(bytes("x"), "[fd00::1]:9"))).toBe("ADDRESS_NOT_AVAILABLE");
  });

  // A hundred thousand datagrams and a slow reader do not exceed the memory limit.
  test("holds no more datagrams than its limit", async () => {
    await using pair = new StackPair();
    const server = pair.server.listenDatagram({ port: 53 });
    const client = pair.client.listenDatagram({ port: 0 });
    const data = new Uint8Array(100);
    const run = async () => {
      for (let i = 0; i < 100_000; i++) await client.send(data, "10.0.0.2:53");
    };
    await pair.run(run());
    await pair.clock.advance(1);
    let received = 0;
    await pair.run((async () => {
      for await (const _ of server) if (++received === 1024) server.close();
    })());
    const { datagramsIn, "drop.udp-queue": dropped } = pair.server.stats();
    expect(datagramsIn).toBe(1024);
    const { linkFull } = pair.client.stats();
    expect(datagramsIn! + dropped! + linkFull!).toBe(100_000);
  });
});
