import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import { FieldLister } from "../../../support/field_lister.ts";
import { sendOrdersOf, visitTcb } from "../../../../core/tcp/frozen/tcb_fields.ts";
import { LossRecovery } from "../../../../core/tcp/recovery/loss_state.ts";
import { SentRange } from "../../../../core/tcp/recovery/scoreboard.ts";
import { Reordering } from "../../../../core/tcp/reordering.ts";
import { Probes } from "../../../../core/tcp/probes.ts";
import { UserOptions } from "../../../../core/tcp/user_options.ts";
import { formatFields } from "../../../support/frozen_format.ts";
import { freshTcb } from "../../../support/fresh_tcb.ts";
import { ROOT } from "../../../support/source_files.ts";

/** Fields that are not in the format, and why not. */
const NOT_MOVED: Readonly<Record<string, string>> = {
  config: "of the stack",
  environment: "of the stack",
  local: "an endpoint",
  localPort: "an endpoint",
  remote: "an endpoint",
  remotePort: "an endpoint",
  pseudoSum: "follows from the endpoints",
  sendMss: "follows from peerMss, pathMtu and the options",
  events: "the socket of the new stack is notified of everything",
  deadlines: "moved as `timer NAME`",
  keepAliveAt: "moved as `timer KEEP_ALIVE`",
  error: "a connection that has ended does not move",
  handle: "of the stack",
  listener: "a connection moves once it is accepted",
  hash: "of the stack's table",
  hashNext: "of the stack's table",
  heapIndex: "of the stack's heap",
};

/** Classes with private fields, and which of these are not in the format. */
const PRIVATE: readonly (readonly [file: string, unmoved?: readonly string[]])[] = [
  ["congestion/unacked.ts", ["#limit"]],
  ["congestion/newreno.ts"],
  ["congestion/cubic.ts"],
  ["congestion/slow_start.ts"],
  ["congestion/hystart.ts"],
  ["congestion/max_filter.ts"],
  // The listed fields are used only within one acknowledgement.
  ["congestion/rate_sampler.ts", ["#newestOrder", "#interval", "#age"]],
  ["congestion/bbr/bbr.ts", ["reducesProportionally", "samplesRate"]],
  ["congestion/bbr/aggregation.ts"],
  ["congestion/bbr/full_bandwidth.ts"],
  ["congestion/bbr/long_term.ts"],
  ["congestion/bbr/max_bandwidth.ts"],
  ["congestion/bbr/min_rtt.ts"],
  ["congestion/bbr/model.ts"],
  ["congestion/bbr/probe_wait.ts"],
  ["congestion/bbr/rounds.ts"],
  ["congestion/bbr/short_term.ts"],
  ["congestion/bbr/startup_loss.ts"],
  ["congestion/bbr/undo_state.ts"],
  ["recovery/prr.ts"],
  ["recovery/rack.ts"],
];

/** The classes of a file, each with its fields and the text of its `visitFields`. */
function classesOf(file: string): { name: string; fields: string[]; visit: string }[] {
  const source = readFileSync(join(ROOT, "core/tcp", file), "utf8");
  return source.split(/^(?=(?:export )?(?:abstract )?class )/m).slice(1).map((text) => {
    const name = /class (\w+)/.exec(text)![1]!;
    const fields = [...text.matchAll(
      /^ {2}(?:protected |readonly |declare )*(#?\w+)(?:!?: [^(=]+)?(?: =|;)/gm,
    )].map(([, field]) => field!);
    const visit = /^ {2}(?:override )?visitFields\([\s\S]*?^ {2}\}/m.exec(text)?.[0] ?? "";
    return { name, fields, visit };
  });
}

describe("the format of moved connections", () => {
  const listed = formatFields().map(({ name }) => name);

  // A field that is added to the record has to be added to the format, or to the list above with the
  // reason.
  test("has every field of the record", () => {
    const missing = Object.keys(freshTcb()).filter((field) =>
      NOT_MOVED[field] === undefined &&
      !listed.some((name) =>
        name === field || name.startsWith(`${field}.`) || name.startsWith(`${field}[`)
      )
    );
    // The congestion control algorithm is a part of its own in the format.
    expect(missing).toEqual(["congestion"]);
  });

  test.each([
    ["loss", new LossRecovery()],
    ["reordering", new Reordering()],
    ["probes", new Probes()],
    ["userOptions", new UserOptions()],
    ["scoreboard.ranges[]", new SentRange()],
  ])("has every field of %s", (part, record) => {
    const missing = Object.keys(record).filter((field) => !listed.includes(`${part}.${field}`));
    expect(missing).toEqual([]);
  });

  test.each(PRIVATE.map(([file, unmoved]) => [file, unmoved ?? []] as const))(
    "has every field of %s",
    (file, unmoved) => {
      const classes = classesOf(file);
      expect(classes.length).toBeGreaterThan(0);
      for (const { name, fields, visit } of classes) {
        const missing = fields.filter((field) =>
          !unmoved.includes(field) && !new RegExp(`this\\.${field}\\b`).test(visit)
        );
        expect({ class: name, missing }).toEqual({ class: name, missing: [] });
      }
    },
  );

  // The rings are visited as bytes; `ring` belongs to the pool.
  test("has every field of the rings", () => {
    const { send, receive } = freshTcb();
    expect(Object.keys(send)).toEqual(["ring", "length", "limit"]);
    expect(Object.keys(receive)).toEqual(["ring", "readSeq", "readable", "outOfOrder"]);
    for (const name of ["send.limit", "send.text", "receive.readSeq", "receive.text"]) {
      expect(listed).toContain(name);
    }
    expect(listed).toContain("receive.outOfOrder[].text");
  });

  // The list of classes above is complete: every field that the visit reaches has a class there.
  test("is visited without a field of an unknown kind", () => {
    const lister = new FieldLister();
    const tcb = freshTcb();
    visitTcb(tcb, lister, sendOrdersOf(tcb));
    expect(lister.fields.length).toBeGreaterThan(100);
    expect(new Set(lister.fields.map(({ name }) => name)).size).toBe(lister.fields.length);
  });
});
