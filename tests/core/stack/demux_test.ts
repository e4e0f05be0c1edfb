import { describe, expect, test } from "bun:test";
import { bindingOf } from "../../../core/api/listen_address.ts";
import { Demux } from "../../../core/stack/demux.ts";
import { Listener } from "../../../core/stack/tcp/listener.ts";
import { IpAddress } from "../../../core/wire/address.ts";
import { IpHeader } from "../../../core/wire/ip.ts";

function listener(address: string | undefined, ports: string): Listener {
  return new Listener({ ...bindingOf(ports, address), backlog: 1, decides: false });
}

describe("Demux", () => {
  // Lookup is by the destination; a listener with an address is preferred to one without.
  test("findListener matches the destination address and port", () => {
    const demux = new Demux(1);
    const [all, own] = [listener(undefined, "80"), listener("10.0.0.2", "80-81")];
    for (const one of [all, own]) demux.listeners.add(one, one);
    const { w0, w1, w2, w3 } = IpAddress.parse("10.0.0.2")!;
    const ip = new IpHeader();
    [ip.d0, ip.d1, ip.d2, ip.d3] = [w0, w1, w2, w3];
    expect(demux.findListener(ip, 80)).toBe(own);
    expect(demux.findListener(ip, 81)).toBe(own);
    expect(demux.findListener(ip, 82)).toBe(undefined);
    ip.d3++;
    expect(demux.findListener(ip, 80)).toBe(all);
    expect(demux.findListener(ip, 81)).toBe(undefined);
  });
});
