import { expect, test } from "bun:test";
import { Reloader } from "../../../../adapters/service/reload/reloader.ts";
import { parseConfig } from "../../../../adapters/service/settings/config.ts";
import { mergeSettings } from "../../../../adapters/service/settings/merge.ts";
import { collectedHeap } from "../../../support/collected_heap.ts";
import { ChangingService, type Config } from "./reload_support.ts";

const PLACES = 12;
const WARM_UP = 60;
const RELOADS = 100;
/** Bytes for each reload; the settings alone take about 10,000. */
const MAX_GROWTH = 6000;

/** Every listen address gets other plugins, and one is added or removed. */
function configAt(reload: number): Config {
  const listen: Record<string, unknown> = {};
  for (let i = 0; i < PLACES; i++) {
    const to = `127.0.0.1:${9000 + reload % 7}`;
    listen[2000 + i] = ["log", { plugin: "forward", options: { to } }];
  }
  if (reload % 2 === 0) listen["9"] = "discard";
  return { listen, publish: ["0=10.7.0.2:2000"], logLevel: "off" };
}

// The runtimes compile code during the first reloads; afterwards the heap stays constant.
test("100 reloads leave nothing on the heap", async () => {
  await using running = await ChangingService.start(configAt(0));
  let reload = 0;
  const path = running.folder.file("berth.json");
  const reloader = new Reloader(running.service, {
    log: running.log.logger,
    read: () => mergeSettings({}, parseConfig(JSON.stringify(configAt(reload)), path)),
  });
  const until = async (last: number) => {
    while (++reload <= last) await reloader.reload("test");
    running.log.lines.length = 0;
    return await collectedHeap();
  };
  const before = await until(WARM_UP);
  const after = await until(WARM_UP + RELOADS);
  expect((after - before) / RELOADS).toBeLessThan(MAX_GROWTH);
}, 60_000);
