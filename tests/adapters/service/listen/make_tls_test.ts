import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadChain, loadPlugin } from "../../../../adapters/service/listen/plugin_loader.ts";
import type { ListenSetting } from "../../../../adapters/service/settings/listen_setting.ts";
import { makeCertificate } from "../../../support/certificates.ts";
import { testRequiring } from "../../../support/requirements.ts";

const source = "berth.json: listen.443";
const setting = (
  plugin: string,
  folder: string,
  options?: Record<string, unknown>,
): ListenSetting => ({ where: "443", plugin, options, folder, source });

const faultOf = (plugin: string, folder = "/nowhere", options?: Record<string, unknown>) =>
  loadPlugin(setting(plugin, folder, options)).then(() => "", (error: Error) => error.message);

describe("tls in a setting", () => {
  // Both forms; paths are relative to the configuration file.
  testRequiring(
    ["program:openssl"],
    "resolves files relative to the setting's folder",
    async () => {
      const folder = mkdtempSync(join(tmpdir(), "berth-tls-test-"));
      try {
        const { cert, key } = makeCertificate(["localhost"]);
        writeFileSync(join(folder, "cert.pem"), cert);
        writeFileSync(join(folder, "key.pem"), key);
        const certificates = [{ cert: "cert.pem", key: "key.pem" }];
        expect((await loadPlugin(setting("tls:cert.pem,key.pem", folder))).name).toBe("tls");
        const clientCertificates = { ca: "cert.pem" };
        const options = { certificates, clientCertificates, alpn: ["http/1.1"] };
        expect((await loadPlugin(setting("tls", folder, options))).name).toBe("tls");
        const before = [setting("tls:cert.pem,key.pem", folder)];
        const chain = await loadChain({ ...setting("echo", folder), before });
        expect(chain.name).toBe("tls+echo");
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  );

  // One message has the position and the reason.
  test("says what is wrong", async () => {
    const wants = `${source}: tls needs a certificate and its key, such as tls:cert.pem,key.pem`;
    expect(await faultOf("tls:cert.pem")).toBe(wants);
    expect(await faultOf("tls:")).toBe(wants);
    expect(await faultOf("tls:cert.pem,key.pem")).toBe(
      `${source}: tls: the certificate /nowhere/cert.pem cannot be read: ENOENT`,
    );
    expect(await faultOf("tls")).toMatch(/listen\.443: tls: options\.certificates: /);
  });
});
