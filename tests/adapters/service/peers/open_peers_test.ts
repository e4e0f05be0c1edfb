import { describe, expect, test } from "bun:test";
import { openPeers } from "../../../../adapters/service/peers/open_peers.ts";
import { TemporaryFolder } from "../../../support/temporary_folder.ts";

/** The messages that are logged as warnings. */
function warnings() {
  const lines: string[] = [];
  const log = {
    debug: () => {},
    info: () => {},
    warn: (message: string, fields?: object) => lines.push(`${message} ${JSON.stringify(fields)}`),
    error: (message: string, fields?: object) => lines.push(`${message} ${JSON.stringify(fields)}`),
  };
  return { lines, log };
}

describe("openPeers", () => {
  // DNS lists this instance twice. It would pass packets to itself, and wait for its own messages at the start.
  test("ignores its own address with another number", async () => {
    using folder = new TemporaryFolder();
    const secretFile = folder.write("secret", "0123456789abcdef0123456789abcdef");
    const { lines, log } = warnings();
    const listen = { hostname: "127.0.0.1", port: 26_930 };
    const setting = { self: 0, secretFile, listen, members: "_peers._udp.berth.example" };
    const addresses = ["127.0.0.1", "192.0.2.1", "127.0.0.1"];
    const peers = await openPeers(setting, log, {
      names: {
        address: (name) => Promise.resolve(addresses[Number(name[6])]!),
        targets: () =>
          Promise.resolve(addresses.map((_, i) => ({ name: `berth-${i}.example`, port: 26_930 }))),
      },
    });
    expect(peers.group.membership.others()).toEqual([1]);
    expect(lines.filter((line) => line.includes("another number"))).toEqual([
      'this instance is listed with another number as well, which is ignored {"self":0,"number":2}',
    ]);
    peers.close();
  });

  // The lines say what to do.
  test("logs that two machines have the same number", async () => {
    using folder = new TemporaryFolder();
    const secretFile = folder.write("secret", "0123456789abcdef0123456789abcdef");
    const { lines, log } = warnings();
    const listen = { hostname: "127.0.0.1", port: 26_931 };
    const members = { 0: listen, 3: { hostname: "127.0.0.1", port: 26_932 } };
    const peers = await openPeers({ self: 0, secretFile, listen, members }, log);
    peers.group.onDuplicate(3);
    peers.group.onDuplicate(0);
    peers.close();
    const hint = "give each machine another peers.self, and list it in members with that number";
    expect(lines.filter((line) => line.includes("machine"))).toEqual([
      `two machines use the number of one instance ${JSON.stringify({ number: 3, hint })}`,
      `another machine uses the number of this instance ${JSON.stringify({ number: 0, hint })}`,
    ]);
  });
});
