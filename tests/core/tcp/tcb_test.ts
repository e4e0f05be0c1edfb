import { describe, expect, test } from "bun:test";
import { ownProbes } from "../../../core/tcp/probes.ts";
import { ownLoss } from "../../../core/tcp/recovery/loss_state.ts";
import { ownReordering } from "../../../core/tcp/reordering.ts";
import { ownOptions } from "../../../core/tcp/user_options.ts";
import { freshTcb, ownRecords } from "../../support/fresh_tcb.ts";

/** Each of the rarely used records, with a field that is written. */
const RECORDS = [
  { name: "loss", own: ownLoss, field: "rtoBackoff" },
  { name: "reordering", own: ownReordering, field: "duplicateAcks" },
  { name: "probes", own: ownProbes, field: "keepAlives" },
  { name: "userOptions", own: ownOptions, field: "lingerMs" },
] as const;
type Row = typeof RECORDS[number];

describe("a record that connections share", () => {
  test.each(RECORDS)("is copied at the first write: $name", ({ name, own, field }: Row) => {
    const [tcb, other] = [freshTcb(), freshTcb()];
    expect(tcb[name]).toBe(other[name]);
    Object.assign(own(tcb), { [field]: 7 });
    expect(own(tcb)).toBe(tcb[name] as never);
    expect(tcb[name]).toMatchObject({ [field]: 7 });
    expect(other[name]).not.toMatchObject({ [field]: 7 });
    expect([ownRecords(tcb), ownRecords(other)]).toEqual([[name], []]);
  });

  // A write to the shared record would affect every connection.
  test.each(RECORDS)("refuses writes to the shared record: $name", ({ name, field }: Row) => {
    const tcb = freshTcb();
    expect(() => Object.assign(tcb[name], { [field]: 7 })).toThrow(TypeError);
  });

  test.each(RECORDS)(
    "is shared again once it has its initial values: $name",
    ({ name, own, field }: Row) => {
      const tcb = freshTcb();
      const { [field]: initial } = tcb[name] as Record<string, unknown>;
      Object.assign(own(tcb), { [field]: 7 });
      tcb.releaseUnusedRecords();
      expect(ownRecords(tcb)).toEqual([name]);
      Object.assign(own(tcb), { [field]: initial });
      tcb.releaseUnusedRecords();
      expect(ownRecords(tcb)).toEqual([]);
    },
  );
});
