import { readFileSync } from "node:fs";
import { join } from "node:path";
import { inflateRawSync } from "node:zlib";
import { describe, expect, test } from "bun:test";
import { CoreStack, SECRET_LENGTH } from "../../../../core/stack/stack.ts";
import { PROFILES } from "../../../../core/tcp/config.ts";
import {
  FORMAT_VERSION,
  frozenReader,
  frozenWriter,
  withHeader,
} from "../../../../core/tcp/frozen/format.ts";
import { Tcb } from "../../../../core/tcp/tcb.ts";
import { Subnet } from "../../../../core/wire/address.ts";
import { formatTable } from "../../../support/frozen_format.ts";
import { ROOT } from "../../../support/source_files.ts";

/** A connection of profile `internet` with BBR, with data in flight and out of order, at 10.0.0.1. */
function recordOfVersion1(): Uint8Array {
  const text = readFileSync(join(ROOT, "tests/core/tcp/frozen/version_1.base64"), "utf8");
  return new Uint8Array(inflateRawSync(Buffer.from(text, "base64")));
}

function stack(): CoreStack {
  return new CoreStack({
    features: { mtu: 1500, maxSuperPacket: 0, checksumOffload: false },
    subnets: [Subnet.parse("10.0.0.1/24")!],
    tcp: { ...PROFILES.internet, congestion: "bbr" },
    secret: new Uint8Array(SECRET_LENGTH),
    maxConnections: 16,
    maxTimeWait: 4,
  });
}

function thaw(core: CoreStack, record: Uint8Array, now: number): Tcb {
  const reader = frozenReader(record, { now, elapsedMs: 0 });
  if (typeof reader === "string") throw new Error(reader);
  const tcb = core.tcp.thaw(reader);
  if (!(tcb instanceof Tcb)) throw new Error(JSON.stringify(tcb));
  expect(reader.isAtEnd).toBe(true);
  core.tcp.enterThawed(tcb, now);
  return tcb;
}

describe("the format of moved connections", () => {
  // A change of the fields has to increase FORMAT_VERSION, replace this record by one of the new
  // version and the table in docs/moving.md by what `formatTable()` returns.
  test("reads a record of version 1", () => {
    expect(FORMAT_VERSION).toBe(1);
    const tcb = thaw(stack(), recordOfVersion1(), 1000);
    expect(tcb.state).toBe("ESTABLISHED");
    expect(tcb.scoreboard.isEmpty).toBe(false);
    expect(tcb.receive.outOfOrder!.count).toBe(1);
    expect(tcb.reordering.segments).toBeGreaterThan(0);
    expect(tcb.srttUs).toBeGreaterThan(0);
  });

  // A stack writes a record as it has read it, at another time of another clock; nothing is lost or rounded.
  test("writes what it has read", () => {
    const record = recordOfVersion1();
    const core = stack();
    const tcb = thaw(core, record, 1000);
    const writer = frozenWriter({ now: 1000, elapsedMs: 0 });
    core.tcp.freeze(tcb, writer);
    expect([...withHeader(writer.take())]).toEqual([...record]);
  });

  // Timers and timestamps continue with what remained.
  test("counts times from the freeze", () => {
    const record = recordOfVersion1();
    const reader = frozenReader(record, { now: 50_000, elapsedMs: 100 });
    if (typeof reader === "string") throw new Error(reader);
    const late = stack().tcp.thaw(reader) as Tcb;
    const early = thaw(stack(), record, 1000);
    expect(late.earliestTimer - 50_000).toBeCloseTo(early.earliestTimer - 1000 - 100, 6);
    const tsVal = ({ tsOffset }: Tcb, now: number) => (now + tsOffset) | 0;
    expect(tsVal(late, 50_000)).toBe((tsVal(early, 1000) + 100) | 0);
  });

  test("is described in docs/moving.md", () => {
    const lines = readFileSync(join(ROOT, "docs/moving.md"), "utf8").split("\n")
      .map((line) => line.replace(/ +/g, " "));
    expect(formatTable().filter((row) => !lines.includes(row))).toEqual([]);
    expect(lines.some((line) => line.includes(`This is version ${FORMAT_VERSION}.`))).toBe(true);
  });
});
