import { describe, expect, test } from "bun:test";
import type { Syn } from "../../../core/api/types.ts";
import { connectProxyThrough } from "../../../plugins/connect_proxy.ts";
import { egressThrough } from "../../../plugins/egress.ts";
import { forwardThrough } from "../../../plugins/forward.ts";
import { keepAliveSchema } from "../../../plugins/shared/dial.ts";
import type { DialOptions } from "../../../plugins/shared/host_network.ts";
import type { Duplex } from "../../../plugins/shared/relay.ts";
import { socks5Through } from "../../../plugins/socks5.ts";
import { bytes } from "../../support/conversation.ts";
import { socketPair, testContext } from "../../support/fake_socket.ts";
import { connectTo } from "../../support/proxy.ts";

const dialled: (DialOptions | undefined)[] = [];
const host = {
  resolve: () => Promise.resolve(["192.0.2.1"]),
  dial(_target: unknown, _signal: unknown, options?: DialOptions): Promise<Duplex> {
    dialled.push(options);
    return Promise.reject(new Error("not in this test"));
  },
  dialDatagrams: () => Promise.reject(new Error("not in this test")),
};
const syn = {
  local: { transport: "tcp", hostname: "192.0.2.1", port: 80 },
  remote: { transport: "tcp", hostname: "192.0.2.2", port: 4000 },
  signal: new AbortController().signal,
} as Syn;

describe("keepAliveMs", () => {
  // Every plugin that connects through the host uses keep-alive.
  test("is passed to the host by every plugin that connects", async () => {
    const { context } = testContext(socketPair().server);
    for (const keepAliveMs of [60_000, undefined]) {
      dialled.length = 0;
      const options = { keepAliveMs };
      await Promise.resolve(egressThrough(host)(options).onSyn!(syn, context)).catch(() => {});
      const forward = forwardThrough(host)({ to: "192.0.2.1:80", ...options });
      await Promise.resolve(forward.onSyn!(syn, context)).catch(() => {});
      const socks5 = connectTo(socks5Through(host)(options));
      await socks5.client.write(Uint8Array.of(5, 1, 0, 5, 1, 0, 1, 192, 0, 2, 1, 0, 80));
      const proxy = connectTo(connectProxyThrough(host)(options));
      await proxy.client.write(bytes("CONNECT 192.0.2.1:80 HTTP/1.1\r\nHost: x\r\n\r\n"));
      await Promise.all([socks5.served, proxy.served]);
      expect(dialled).toEqual(new Array(4).fill({ keepAliveMs: keepAliveMs ?? 7_200_000 }));
    }
  });

  // Linux accepts whole seconds, from 1 to 32,767.
  test.each([[0, true], [1000, true], [32_767_000, true], [999, false], [32_768_000, false], [
    NaN,
    false,
  ], [-1, false]])("can be %p: %p", (value, isGood) => {
    expect(keepAliveSchema.safeParse(value).success).toBe(isGood);
  });
});
