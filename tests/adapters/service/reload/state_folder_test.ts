import { describe, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import {
  readSavedConfig,
  type SavedConfig,
  stageConfig,
} from "../../../../adapters/service/reload/state_folder.ts";
import { TemporaryFolder } from "../../../support/temporary_folder.ts";

const saveConfig = (folder: string, config: SavedConfig) => stageConfig(folder, config).commit();

const CONFIG = { path: "/etc/berth/berth.json", text: '{ "mtu": 1400 } // as written' };

describe("the state folder", () => {
  // The text is unchanged, in a file that only its owner can read; the folder is created if necessary.
  test("keeps the last configuration", () => {
    using folder = new TemporaryFolder();
    const state = folder.file("state/berth");
    saveConfig(state, { ...CONFIG, text: "older" });
    saveConfig(state, CONFIG);
    expect(readSavedConfig(state)).toEqual(CONFIG);
    expect(readdirSync(state)).toEqual(["last-good.json"]);
    expect(statSync(`${state}/last-good.json`).mode & 0o777).toBe(0o600);
  });

  // An existing file passes on neither its mode nor, as a link, its target.
  test("does not write through what is in the way", () => {
    using folder = new TemporaryFolder();
    const elsewhere = folder.write("elsewhere", "precious");
    const state = folder.file("state");
    mkdirSync(state);
    symlinkSync(elsewhere, `${state}/last-good.json.new`);
    saveConfig(state, CONFIG);
    expect(readFileSync(elsewhere, "utf8")).toBe("precious");
    writeFileSync(`${state}/last-good.json.new`, "", { mode: 0o644 });
    saveConfig(state, CONFIG);
    expect(readSavedConfig(state)).toEqual(CONFIG);
    expect(statSync(`${state}/last-good.json`).mode & 0o777).toBe(0o600);
  });

  // A failed write leaves the old file.
  test("keeps the old one if the new one cannot be written", () => {
    using folder = new TemporaryFolder();
    saveConfig(folder.path, CONFIG);
    mkdirSync(folder.file("last-good.json.new"));
    expect(() => saveConfig(folder.path, { ...CONFIG, text: "new" })).toThrow();
    expect(readSavedConfig(folder.path)).toEqual(CONFIG);
  });

  // If the process is killed in between, a later start finds the old configuration, and the next reload replaces the
  // remaining file.
  test("has the new one beside the old one until it is in use", () => {
    using folder = new TemporaryFolder();
    saveConfig(folder.path, CONFIG);
    stageConfig(folder.path, { ...CONFIG, text: "new" });
    expect(readSavedConfig(folder.path)).toEqual(CONFIG);
    expect(readdirSync(folder.path).sort()).toEqual(["last-good.json", "last-good.json.new"]);
    stageConfig(folder.path, { ...CONFIG, text: "newer" }).discard();
    expect(readdirSync(folder.path)).toEqual(["last-good.json"]);
    saveConfig(folder.path, { ...CONFIG, text: "newest" });
    expect(readSavedConfig(folder.path)).toEqual({ ...CONFIG, text: "newest" });
  });

  test("says why there is none", () => {
    using folder = new TemporaryFolder();
    expect(readSavedConfig(folder.path)).toContain("ENOENT");
    folder.write("last-good.json", '{"path":1}');
    expect(readSavedConfig(folder.path)).toContain("last-good.json: ");
    expect(existsSync(folder.file("last-good.json.new"))).toBe(false);
  });
});
