import { describe, expect } from "bun:test";
import { chmodSync } from "node:fs";
import { listenForAdmin } from "../../../../adapters/service/admin/listen.ts";
import { Program } from "../../../support/program.ts";
import { testRequiring } from "../../../support/requirements.ts";
import { ROOT } from "../../../support/source_files.ts";
import { TemporaryFolder } from "../../../support/temporary_folder.ts";

const CURL = ["curl", "-sS", "--max-time", "10", "-o", "-", "-w", "%{http_code}"];
const NOBODY = ["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"];

/** Sends a request as root, or as the user nobody, who has no capability. */
async function ask(socketPath: string, path: string, method: string, user: readonly string[]) {
  const asUser = user.length > 0 ? ["setpriv", ...user] : [];
  const command = [...CURL, "-X", method, "--unix-socket", socketPath, `http://localhost${path}`];
  const { exit, out, log } = await new Program([...asUser, ...command], ROOT).finish(20_000);
  return { exit, out, log };
}

describe("the admin socket", () => {
  // The folder can be entered by everybody, so that only the mode of the socket decides. Its mode is set before
  // anyone can reach it: the kernel refuses to connect, and no byte of an answer is sent.
  testRequiring(
    ["root", "program:setpriv", "program:curl"],
    "gives another user nothing",
    async () => {
      using folder = new TemporaryFolder();
      chmodSync(folder.path, 0o755);
      const path = folder.file("admin.sock");
      let asked = 0;
      const server = await listenForAdmin({ path }, () => {
        asked++;
        return new Response("the configuration");
      });
      expect(await ask(path, "/config", "GET", [])).toEqual({
        exit: 0,
        out: "the configuration200",
        log: "",
      });
      const routes = [["GET", "/livez"], ["GET", "/config"], ["PUT", "/config"], [
        "POST",
        "/drain",
      ]];
      for (const [method, route] of routes) {
        const { exit, out, log } = await ask(path, route!, method!, NOBODY);
        // 7: failed to connect.
        expect([exit, out]).toEqual([7, "000"]);
        expect(log).toMatch(/connect/i);
      }
      expect(asked).toBe(1);
      await server.close();
    },
    60_000,
  );
});
