import { describe, expect, test } from "bun:test";
import type { ListenDatagramOptions } from "../../../core/api/udp/datagram.ts";
import { udpError } from "../../../core/api/udp/datagram_errors.ts";
import { StackDatagrams } from "../../../plugins/shared/stack_datagrams.ts";
import { bytes, codeOf, StackPair } from "../../core/api/stack_pair.ts";

describe("StackDatagrams", () => {
  // A forged error that only guesses the port names a destination to which nothing was sent.
  test("ends only on an ICMP error about its own peer (RFC 5927 4.1)", async () => {
    await using pair = new StackPair();
    const peer = pair.server.listenDatagram({ port: 9 });
    let onError: ListenDatagramOptions["onError"];
    const listenDatagram = (options: ListenDatagramOptions) => {
      onError = options.onError;
      return pair.client.listenDatagram(options);
    };
    const channel = new StackDatagrams({ listenDatagram }, { hostname: "10.0.0.2", port: 9 });
    await channel.send(bytes("ahoy"));
    const [, from] = await pair.run(peer.receive());
    const about = (hostname: string, port: number) =>
      udpError("CONNECTION_REFUSED", from, { transport: "udp", hostname, port });
    onError!(about("10.0.0.2", 10));
    onError!(about("10.0.0.3", 9));
    await peer.send(bytes("aye"), from);
    expect(await pair.run(channel.receive())).toEqual(bytes("aye"));
    onError!(about("10.0.0.2", 9));
    expect(await codeOf(channel.receive())).toBe("CONNECTION_REFUSED");
  });
});
