import { decode } from "@dnsquery/dns-packet";
import { expect, test } from "bun:test";
import { linkPair } from "../../../adapters/links/memory.ts";
import { dns } from "../../../adapters/plugins/dns.ts";
import { createStack } from "../../../core/api/stack.ts";
import { describe as show, query } from "../../plugins/dns/client.ts";
import { describeInNamespace } from "../../support/describe_in_namespace.ts";

// The namespace has no routes.
describeInNamespace(import.meta.url, "dns", () => {
  // The kernel reports network unreachable at once: no timeout, and nothing throws.
  test("answers at once if no upstream is reachable", async () => {
    const [here, there] = linkPair();
    await using server = createStack({ link: here, addresses: ["10.0.0.1/24"] });
    const upstreams = ["192.0.2.1", "2001:db8::1"];
    server.use("udp/53", dns({ upstreams, timeoutMs: 60_000 }));
    await using client = createStack({ link: there, addresses: ["10.0.0.2/24"] });
    using socket = client.listenDatagram({ port: 0 });
    await socket.send(query("far.example", "A"), "10.0.0.1:53");
    const [reply] = await socket.receive();
    expect(show(decode(reply))).toBe("SERVFAIL rd ra");
  });
});
