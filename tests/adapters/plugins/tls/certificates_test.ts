import { describe, expect } from "bun:test";
import { CertificateStore } from "../../../../adapters/plugins/tls/certificates.ts";
import { makeCertificate } from "../../../support/certificates.ts";
import { testRequiring } from "../../../support/requirements.ts";

describe("CertificateStore", () => {
  // Any name in the ClientHello: the first certificate is the default.
  testRequiring(["program:openssl"], "finds one for any name (RFC 6066 3)", () => {
    const names = ["one.test", "*.two.test", "three.test"] as const;
    const store = new CertificateStore(
      names.map((name) => makeCertificate([name])),
      (material) => material,
    );
    const two = store.find("a.two.test");
    expect(two).not.toBe(store.default);
    expect(store.find("A.TWO.TEST")).toBe(two);
    expect(store.find("Three.test")).not.toBe(store.default);
    const others = [
      "one.test",
      "",
      ".",
      "*",
      "a\0.two.test",
      "10.0.0.1",
      "[::1]",
      "x".repeat(70_000),
    ];
    for (const name of others) expect(store.find(name)).toBe(store.default);
  });
});
