import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { allowedProcessors, formatMask } from "../../../../adapters/links/tun/processors.ts";
import { ReceivePacketSteering } from "../../../../adapters/links/tun/receive_packet_steering.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "berth-rps-"));
  mkdirSync(join(folder, "tun0/queues/rx-0"), { recursive: true });
  writeFileSync(join(folder, "tun0/ifindex"), "7\n");
  setMask("0");
  setAllowed("0-3");
});
afterEach(() => rmSync(folder, { recursive: true }));

const maskFile = () => join(folder, "tun0/queues/rx-0/rps_cpus");
const mask = () => readFileSync(maskFile(), "utf8");
const setMask = (text: string) => writeFileSync(maskFile(), `${text}\n`);
const setAllowed = (list: string) =>
  writeFileSync(join(folder, "status"), `Name:\tdeno\nCpus_allowed_list:\t${list}\n`);

/** The thread's processor, and denied permissions; tests may change them. */
let processor = 2;
let denied = "";

function open(index = 7): ReceivePacketSteering | undefined {
  const status = join(folder, "status");
  return ReceivePacketSteering.open("tun0", index, {
    devices: folder,
    status,
    currentProcessor: () => processor,
    mayUse: (access, path) => denied !== `${access} ${path.slice(folder.length)}`,
  });
}

/**
 * Simulates a tenth of a second of reads with `packets` packets each, the bytes sent and the share
 * of waiting.
 */
function load(
  steering: ReceivePacketSteering,
  from: number,
  { packets = 8, sent = 64, waited = 0 } = {},
): number {
  for (let ms = 1; ms <= 100; ms++) {
    for (let i = 0; i < packets; i++) steering.sent(sent);
    steering.waited(waited);
    steering.received(packets, packets * 64, from + ms);
  }
  return from + 100;
}

describe("ReceivePacketSteering", () => {
  // While packets pile up because the thread is busy, other processors process its packets.
  test("turns RPS on for a busy thread", () => {
    const steering = open()!;
    let now = load(steering, 1000);
    expect([steering.isOn, mask()]).toEqual([false, "0"]); // the first window started long ago
    now = load(steering, now);
    expect([steering.isOn, mask()]).toEqual([true, "0000000b"]);
    processor = 0;
    now = load(steering, now);
    expect(mask()).toBe("0000000e");
    steering.close();
    expect([steering.isOn, mask()]).toEqual([false, "0"]);
  });

  // Single requests, a mostly idle thread, and a thread that only acknowledges.
  test.each([
    { packets: 1 },
    { packets: 3 },
    { waited: 0.6 },
    { sent: 10 },
  ])("leaves a thread alone that has %j", (kind) => {
    const steering = open()!;
    let now = 1000;
    for (let i = 0; i < 5; i++) now = load(steering, now, kind);
    expect(mask()).toBe("0");
  });

  // Each change can reorder packets.
  test("turns RPS on again only after a second", () => {
    const steering = open()!;
    let now = 1000;
    for (let i = 0; i < 2; i++) now = load(steering, now);
    now = load(steering, now, { packets: 2 });
    expect(steering.isOn).toBe(true);
    now = load(steering, now, { packets: 1 });
    expect(steering.isOn).toBe(false);
    for (let i = 0; i < 9; i++) now = load(steering, now);
    expect(steering.isOn).toBe(false);
    now = load(steering, now);
    expect(steering.isOn).toBe(true);
  });

  // Another processor's queue holds 1000 packets: after 512 in a row RPS is turned off.
  test("turns RPS off after too many packets in a row", () => {
    const steering = open()!;
    const now = load(steering, load(steering, 1000));
    for (let i = 0; i < 512; i++) steering.sent(64);
    expect(steering.isOn).toBe(true);
    steering.received(8, 512, now + 1);
    for (let i = 0; i < 513; i++) steering.sent(64);
    expect([steering.isOn, mask()]).toEqual([false, "0"]);
    load(steering, load(steering, now + 1));
    expect(steering.isOn).toBe(false);
  });

  // Measurements from before a pause are meaningless.
  test("ignores a window with a long silence", () => {
    const steering = open()!;
    let now = load(steering, 1000, { packets: 1 });
    steering.received(64, 64, now += 5000);
    expect(steering.isOn).toBe(false);
    for (let i = 0; i < 2; i++) now = load(steering, now);
    expect(steering.isOn).toBe(true);
  });

  // A device in another namespace, one configured already, a single processor, missing files.
  test("is not available if it cannot or must not be configured", () => {
    expect(open(8)).toBeUndefined();
    setMask("00000000,00000003");
    expect(open()).toBeUndefined();
    expect(mask()).toBe("00000000,00000003\n");
    setMask("00000000,00000000");
    expect(open()).toBeDefined();
    setAllowed("5");
    expect(open()).toBeUndefined();
    setAllowed("0-1");
    rmSync(join(folder, "tun0"), { recursive: true });
    expect(open()).toBeUndefined();
  });

  // Deno would prompt the user at run time.
  test("never causes a permission prompt", () => {
    for (denied of ["read /status", "read /tun0", "write /tun0/queues/rx-0/rps_cpus"]) {
      expect(open()).toBeUndefined();
    }
    denied = "";
    expect(open()).toBeDefined();
  });

  // The next read reports that the device was removed.
  test("tolerates a removed device", () => {
    const steering = open()!;
    rmSync(join(folder, "tun0"), { recursive: true });
    load(steering, load(steering, 1000));
    steering.close();
    expect(steering.isOn).toBe(false);
  });
});

describe("sets of processors", () => {
  test("are parsed in Linux's list format", () => {
    const list = (text: string) => allowedProcessors(`Cpus_allowed_list:\t${text}\n`);
    expect(list("0-2,5,8-9")).toEqual([0, 1, 2, 5, 8, 9]);
    expect(list("3")).toEqual([3]);
    expect(allowedProcessors("Name:\tdeno\n")).toEqual([]);
  });

  test("are formatted as Linux's bit mask", () => {
    expect(formatMask([0, 1])).toBe("00000003");
    expect(formatMask([31, 32, 65])).toBe("00000002,00000001,80000000");
    expect(formatMask([])).toBe("00000000");
  });
});
