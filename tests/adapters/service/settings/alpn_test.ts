import { describe, expect, test } from "bun:test";
import { offerHttp2 } from "../../../../adapters/service/settings/alpn.ts";

const alpnOf = (options: object | undefined, ...plugins: readonly string[]) => {
  const chain = plugins.map((plugin) => ({ plugin, folder: ".", source: "--listen" }));
  const [first] = offerHttp2(
    chain.map((each, i) => i === 0 ? { ...each, options } as never : each),
  );
  return first!.options?.["alpn"];
};

describe("offerHttp2", () => {
  // --listen 443=tls:c.pem,k.pem+http2:./app.ts+http:./app.ts
  test("offers both versions where a plugin follows http2", () => {
    expect(alpnOf(undefined, "tls:c.pem,k.pem", "http2:./app.ts", "http:./app.ts"))
      .toEqual(["h2", "http/1.1"]);
    expect(alpnOf(undefined, "tls:c.pem,k.pem", "limit:10", "http2:./app.ts", "http:./app.ts"))
      .toEqual(["h2", "http/1.1"]);
  });

  test("offers h2 alone where http2 is the last plugin", () => {
    expect(alpnOf(undefined, "tls:c.pem,k.pem", "http2:./app.ts")).toEqual(["h2"]);
  });

  test("leaves alone what the options say, and chains without http2 after tls", () => {
    expect(alpnOf({ alpn: ["acme"] }, "tls", "http2:./app.ts")).toEqual(["acme"]);
    expect(alpnOf(undefined, "tls:c.pem,k.pem", "http:./app.ts")).toBe(undefined);
    expect(alpnOf(undefined, "http2:./app.ts", "tls:c.pem,k.pem", "echo")).toBe(undefined);
  });
});
