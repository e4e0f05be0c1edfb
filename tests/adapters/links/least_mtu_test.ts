import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import { openQemuStream } from "../../../adapters/links/qemu_stream.ts";
import { openUdpLink } from "../../../adapters/links/udp.ts";
import { openWebSocketLink } from "../../../adapters/links/web_socket.ts";
import type { Link } from "../../../core/stack/link.ts";
import { echoOver } from "../../support/echo_over.ts";
import { until } from "../../support/until.ts";
import { joinStations } from "./ethernet/stations.ts";
import { openServer } from "./web_socket_server.ts";

/** The minimum MTU of every link. */
const LEAST_MTU = 68;

describe("an MTU of 68", () => {
  // 28 bytes per segment.
  test("carries connections in UDP datagrams (RFC 791 3.2)", async () => {
    const right = await openUdpLink({ local: "127.0.0.1:0", mtu: LEAST_MTU });
    const left = await openUdpLink({ remote: right.localAddress, mtu: LEAST_MTU });
    expect([left.features.mtu, right.features.mtu]).toEqual([LEAST_MTU, LEAST_MTU]);
    await echoOver(left, right, 5000);
  });

  // The stack that carries the WebSocket has a larger MTU.
  test("carries connections in a WebSocket (RFC 791 3.2)", async () => {
    const attached = Promise.withResolvers<Link>();
    await using server = await openServer(attached.resolve, { mtu: LEAST_MTU });
    const left = await openWebSocketLink(server.url, { mtu: LEAST_MTU });
    await echoOver(left, await attached.promise, 5000);
  });

  // An ARP message is shorter.
  test("carries connections in frames (RFC 791 3.2)", async () => {
    const folder = mkdtempSync(join(tmpdir(), "berth-mtu-"));
    try {
      const path = join(folder, "frames.sock");
      const near = await openQemuStream({ listen: path, mtu: LEAST_MTU });
      const far = await openQemuStream({ connect: path, mtu: LEAST_MTU });
      await until(() => near.stats!()["peers"] === 1 && far.stats!()["peers"] === 1);
      const { left, right } = joinStations(near, far);
      await echoOver(left, right, 5000);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
