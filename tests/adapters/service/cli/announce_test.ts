import { expect, test } from "bun:test";
import { announce } from "../../../../adapters/service/cli/announce.ts";
import { parseArguments } from "../../../../adapters/service/cli/arguments.ts";
import type { Publication } from "../../../../adapters/service/publish/publish.ts";
import { mergeSettings } from "../../../../adapters/service/settings/merge.ts";

const publication = (port: number, to: number): Publication => ({
  address: { hostname: "127.0.0.1", port },
  to: { hostname: "10.7.0.2", port: to },
  redirect() {},
  stopListening() {},
  finish: () => Promise.resolve(),
  running: 0,
  descriptor: undefined,
  pause() {},
  resume() {},
});

// Port 8080 was in use: the actual port is printed.
test("announce prints the ports that were bound", () => {
  const published = [publication(8081, 80), publication(8007, 7)];
  expect(announce(mergeSettings({}, {}), { place: "a memory link", published }).split("\n"))
    .toEqual([
      "berth answers 10.7.0.2 and fd07::2 on a memory link",
      "  open http://127.0.0.1:8081/ for 10.7.0.2:80, demo",
      "  connect to 127.0.0.1:8007 for 10.7.0.2:7, echo",
      "Ctrl+C ends it",
    ]);
});

// Ranges and networks are printed as configured, with their plugins.
test("announce prints ranges and networks", () => {
  const place = "device berth0";
  const listen = ["*=echo", "10.90.7.0/24:80=http:./app.ts", "81=echo", "udp/7=echo"];
  const settings = mergeSettings({
    tun: "berth0",
    addresses: ["10.90.0.0/16", "10.7.0.2/24"],
    listen: parseArguments(listen.flatMap((each) => ["--listen", each])).settings.listen,
  }, {});
  expect(announce(settings, { place, published: [] }).split("\n")).toEqual([
    "berth answers 10.90.0.0/16 and 10.7.0.2 on device berth0",
    "  *: echo",
    "  open http://10.90.7.1/: http:./app.ts",
    "  connect to 10.90.0.2:81: echo",
    "  udp/7: echo",
    "Ctrl+C ends it",
  ]);
  const published = [{ ...publication(8080, 80), to: { hostname: "10.90.7.9", port: 80 } }];
  expect(announce(settings, { place, published }))
    .toContain("open http://127.0.0.1:8080/ for 10.90.7.9:80, http:./app.ts");
});

// On a device the ports are the stack's own.
test("announce prints the stack's ports if nothing is published", () => {
  const settings = mergeSettings({ tun: "berth%d", addresses: ["fd07::2/64"] }, {});
  expect(announce(settings, { place: "device berth0", published: [] }).split("\n")).toEqual([
    "berth answers fd07::2 on device berth0",
    "  open http://[fd07::2]/: demo",
    "  connect to [fd07::2]:7: echo",
    "Ctrl+C ends it",
  ]);
});

// The scheme of the URL matches the protocol of the port.
test("announce prints the scheme", () => {
  const listen = [
    "443=tls:cert.pem,key.pem+http:./app.ts",
    "8443=log+tls:cert.pem,key.pem+files:./www",
    "80=log+files:./www",
    "993=tls:cert.pem,key.pem+echo",
  ];
  const settings = mergeSettings({
    tun: "berth0",
    addresses: ["10.7.0.2/24"],
    listen: parseArguments(listen.flatMap((each) => ["--listen", each])).settings.listen,
  }, {});
  const lines = announce(settings, { place: "device berth0", published: [] }).split("\n");
  expect(lines.slice(1, -1)).toEqual([
    "  open https://10.7.0.2/: http:./app.ts",
    "  open https://10.7.0.2:8443/: files:./www",
    "  open http://10.7.0.2/: files:./www",
    "  connect to 10.7.0.2:993: echo",
  ]);
});
