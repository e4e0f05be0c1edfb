import { expect, test } from "bun:test";
import { redact } from "../../../../adapters/service/admin/redact.ts";

// Secrets are recognized by key and by content, at any depth.
test("redact leaves secrets out and everything else as it is", () => {
  const pem = "-----BEGIN PRIVATE KEY-----\nabc";
  expect(redact({
    mtu: 1500,
    listen: [{ options: { password: "x", keyFile: "key.pem", key: pem, nested: { apiKey: 1 } } }],
    targets: ["http://me:secret@host/path", "unix:/run/app.sock", "[::1]:80"],
    none: undefined,
  })).toEqual({
    mtu: 1500,
    listen: [{
      options: {
        password: "(hidden)",
        keyFile: "key.pem",
        key: "(hidden)",
        nested: { apiKey: "(hidden)" },
      },
    }],
    targets: ["http://me:(hidden)@host/path", "unix:/run/app.sock", "[::1]:80"],
    none: undefined,
  });
});
