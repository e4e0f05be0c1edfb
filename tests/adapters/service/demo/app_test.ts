import { describe, expect, test } from "bun:test";
import { createDemoApp } from "../../../../adapters/service/demo/app.ts";
import { placesOf, setServed } from "../../../../adapters/service/demo/places.ts";
import type { Settings } from "../../../../adapters/service/settings/settings.ts";
import { NetworkViewers } from "../../../../adapters/service/demo/network_viewers.ts";
import type { DemoNetwork } from "../../../../adapters/demo_network/demo_network.ts";

/** The app with a network that notes how its path is changed. */
function demoApp() {
  const changes: unknown[] = [];
  const network = { set: (change: unknown) => changes.push(change) } as unknown as DemoNetwork;
  const viewers = { network } as NetworkViewers;
  const { app } = createDemoApp(() => [], viewers);
  const post = async (body: string, headers: Record<string, string> = {}) => {
    const init = { method: "POST", body, headers: { Host: "127.0.0.1:8080", ...headers } };
    return (await app.request("http://127.0.0.1:8080/network", init)).status;
  };
  return { app, changes, post };
}

describe("the demo's page", () => {
  test("changes the path", async () => {
    const { changes, post } = demoApp();
    expect(await post('{"delayMs":50}', { Origin: "http://127.0.0.1:8080" })).toBe(200);
    expect(changes).toEqual([{ delayMs: 50 }]);
  });

  // A page of another site may send the request, but has no effect; neither has what is not JSON.
  test("is the only page that can change it", async () => {
    const { changes, post } = demoApp();
    expect(await post('{"delayMs":50}', { Origin: "http://elsewhere.test" })).toBe(403);
    expect(await post('{"delayMs":50}', { Origin: "null" })).toBe(403);
    expect(await post("delay")).toBe(400);
    expect(await post("null")).toBe(400);
    expect(await post(`{"delayMs":50${" ".repeat(2000)}}`)).toBe(400);
    expect(changes).toEqual([]);
  });
});

describe("placesOf", () => {
  // The page prefers published ports to the stack's own address, which cannot be reached over a memory link.
  test("says how what is served is reached", () => {
    const [stack, inMemory] = [{}, {}];
    expect(placesOf(stack)).toEqual([]);
    const listen = [{ where: "80", plugin: "demo" }];
    const memory = { addresses: ["10.7.0.2/24"], hostAddresses: [], exceptAddresses: [], listen };
    setServed(inMemory, { settings: memory as unknown as Settings, published: [] });
    expect(placesOf(inMemory)).toEqual([{ where: "80", plugin: "demo" }]);
    setServed(stack, {
      settings: {
        tun: "berth0",
        addresses: ["10.7.0.2/24", "fd07::2/64"],
        hostAddresses: [],
        exceptAddresses: [],
        listen: [
          { where: "80", plugin: "demo" },
          { where: "8080", plugin: "http:./app.ts", before: [{ plugin: "limit:5" }] },
          { where: "[fd07::2]:80", plugin: "files:." },
          { where: "7", plugin: "echo" },
          { where: "udp/53", plugin: "dns" },
          { where: "9000-9999", plugin: "discard" },
        ],
      } as unknown as Settings,
      published: [
        { address: { hostname: "127.0.0.1", port: 8007 }, to: { hostname: "10.7.0.2", port: 7 } },
      ],
    });
    expect(placesOf(stack)).toEqual([
      { where: "80", plugin: "demo", access: "http://10.7.0.2/" },
      { where: "8080", plugin: "limit:5 → http:./app.ts", access: "http://10.7.0.2:8080/" },
      { where: "[fd07::2]:80", plugin: "files:.", access: "http://[fd07::2]/" },
      { where: "7", plugin: "echo", access: "nc 127.0.0.1 8007" },
      { where: "udp/53", plugin: "dns" },
      { where: "9000-9999", plugin: "discard" },
    ]);
  });
});
