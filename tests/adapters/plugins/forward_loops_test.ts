import { afterEach, describe, expect, test } from "bun:test";
import { dialHost } from "../../../adapters/host/dial.ts";
import { linkPair } from "../../../adapters/links/memory.ts";
import { forward } from "../../../adapters/plugins/forward.ts";
import { type Publication, publish } from "../../../adapters/service/publish/publish.ts";
import { silentLogger } from "../../../core/api/environment.ts";
import { createStack } from "../../../core/api/stack.ts";
import type { Stack } from "../../../core/api/types.ts";
import { echo } from "../../../plugins/echo.ts";
import { dialStack } from "../../../plugins/shared/stack_dial.ts";
import { bytes, codeOf } from "../../support/conversation.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Stacks behind published ports of the host: each port leads to the listen address `10.7.I.2:80`. */
async function published(count: number): Promise<{ stacks: Stack[]; ports: Publication[] }> {
  const stacks: Stack[] = [];
  const ports: Publication[] = [];
  for (let i = 0; i < count; i++) {
    const [inner, outer] = linkPair();
    const stack = createStack({ link: inner, addresses: [`10.7.${i}.2/24`] });
    const host = createStack({ link: outer, addresses: [`10.7.${i}.1/24`] });
    const to = { hostname: `10.7.${i}.2`, port: 80 };
    const port = await publish(
      { hostname: "127.0.0.1", port: 0, to },
      (address, signal) => dialStack(host, address, signal),
      silentLogger,
    );
    cleanups.push(
      () => Promise.all([stack.close(), host.close()]),
      () => port.finish(0),
      () => port.stopListening(),
    );
    stacks.push(stack);
    ports.push(port);
  }
  return { stacks, ports };
}

const nameOf = ({ address }: Publication) => `127.0.0.1:${address.port}`;

/**
 * The code of the error that a client of the host gets from a port. The reset may arrive before the runtime
 * has reported that the client is connected.
 */
async function exchange({ address }: Publication): Promise<string> {
  return await codeOf((async () => {
    const client = await dialHost(address);
    cleanups.push(() => client.abort());
    await client.write(bytes("ahoy"));
    await client.read(new Uint8Array(10));
  })());
}

describe("forward over several stacks", () => {
  // Each stack forwards to the next, and the last to the first; a client's connection passes each of them once.
  test.each([2, 3])("ends a loop over %d stacks after one round", async (count) => {
    const { stacks, ports } = await published(count);
    for (const [i, stack] of stacks.entries()) {
      stack.use(80, forward({ to: nameOf(ports[(i + 1) % count]!) }));
    }
    for (let client = 1; client <= 3; client++) {
      expect(await exchange(ports[0]!)).toBe("CONNECTION_RESET");
      for (const stack of stacks) {
        expect(stack.stats()["connectionsOpened"]).toBe(client);
      }
    }
  });

  // The last stack forwards to a server outside, so the chain is not a loop.
  test("goes through a chain of stacks", async () => {
    const { stacks, ports } = await published(3);
    for (const [i, stack] of stacks.slice(0, 2).entries()) {
      stack.use(80, forward({ to: nameOf(ports[i + 1]!) }));
    }
    stacks[2]!.use(80, echo());
    expect(await exchange(ports[0]!)).toBe("no error");
  });

  // Of two targets the first closes the loop: the second is used.
  test("uses the next target if the first would close a loop", async () => {
    const { stacks, ports } = await published(3);
    stacks[0]!.use(80, forward({ to: nameOf(ports[1]!) }));
    stacks[1]!.use(80, forward({ to: [nameOf(ports[0]!), nameOf(ports[2]!)] }));
    stacks[2]!.use(80, echo());
    for (let i = 0; i < 3; i++) expect(await exchange(ports[0]!)).toBe("no error");
  });
});
