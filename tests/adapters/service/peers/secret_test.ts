import { describe, expect, test } from "bun:test";
import { chmodSync } from "node:fs";
import { join } from "node:path";
import { readPeerKeys } from "../../../../adapters/service/peers/secret.ts";
import { silentLogger } from "../../../../core/api/environment.ts";
import { CollectedLog } from "../../../support/collected_log.ts";
import { TemporaryFolder } from "../../../support/temporary_folder.ts";

const SECRET = "0123456789abcdef0123456789abcdef";

describe("readPeerKeys", () => {
  // Every instance gets the same keys from the same secret, and another purpose another key.
  test("derives two keys from the secret", () => {
    using folder = new TemporaryFolder();
    for (const [name, text] of [["a", SECRET], ["b", ` ${SECRET}\n`], ["c", `${SECRET}x`]]) {
      folder.write(name!, text!);
    }
    const [a, b, c] = ["a", "b", "c"].map((name) =>
      readPeerKeys(join(folder.path, name), silentLogger)
    );
    expect(a).toEqual(b!);
    expect(a!.connectionKey.length).toBe(16);
    expect(a!.connectionKey).not.toEqual(a!.messageKey);
    expect(a!.connectionKey).not.toEqual(c!.connectionKey);
  });

  // The message names the key and says what to do.
  test("refuses a file that is missing or too short", () => {
    using folder = new TemporaryFolder();
    folder.write("short", "secret");
    const file = join(folder.path, "short");
    expect(() => readPeerKeys(file, silentLogger)).toThrow(
      `peers.secretFile: the secret in ${file} has 6 characters; write 32 or more random characters`,
    );
    expect(() => readPeerKeys(join(folder.path, "none"), silentLogger)).toThrow(
      "peers.secretFile: cannot read",
    );
  });

  // Anyone who has the secret can inject packets.
  test("warns if other users may read it", () => {
    using folder = new TemporaryFolder();
    folder.write("secret", SECRET);
    const file = join(folder.path, "secret");
    const log = new CollectedLog();
    chmodSync(file, 0o600);
    readPeerKeys(file, log.logger);
    expect(log.lines.length).toBe(0);
    chmodSync(file, 0o644);
    readPeerKeys(file, log.logger);
    expect(log.lines.length).toBe(1);
  });
});
