import { describe, expect } from "bun:test";
import { Namespace } from "../support/namespace.ts";
import { testRequiring } from "../support/requirements.ts";
import { TemporaryFolder } from "../support/temporary_folder.ts";
import { NEEDS, serviceCommand, TWO_WORKERS } from "./service.ts";

describe("a service manager", () => {
  // The process is killed and started again, while the device stays and keeps a SYN. After an upgrade the new process
  // is the main process, and can be stopped.
  for (const workers of [1, 2]) {
    testRequiring(
      [...NEEDS, "program:python3"],
      `keeps the device, and learns the main process, with ${workers} worker(s)`,
      async () => {
        await using namespace = await Namespace.open();
        using folder = new TemporaryFolder();
        const admin = `unix:${folder.file("admin")}`;
        const command = serviceCommand("--admin", admin, ...(workers === 2 ? TWO_WORKERS : []));
        const program = "tests/e2e/programs/service_manager.py";
        const folderPath = folder.file("admin").replace(/\/admin$/, "");
        const { exit, out, log } = await namespace.start("python3", program, folderPath, ...command)
          .finish(60_000);
        expect(log).toBe("");
        expect(out.split("\n")).toEqual([
          `stored ${workers}`,
          "device stays True",
          "answered ['ahoy']",
          "same device True",
          "upgraded 0 True ahoy",
          "old process 0",
          "stopping",
          "",
        ]);
        expect(exit).toBe(0);
      },
      90_000,
    );
  }
});
