/**
 * The fields of the format of moved connections, for its documentation.
 *
 * @module
 */
import { EMPTY_RECORD, visitApiRecord } from "../../core/api/moves/connection_record.ts";
import type { CongestionName } from "../../core/tcp/config.ts";
import { FieldLister, type ListedField } from "./field_lister.ts";
import { noEndpoints, visitEndpoints, visitPolicies } from "../../core/tcp/frozen/format.ts";
import { sendOrdersOf, visitTcb } from "../../core/tcp/frozen/tcb_fields.ts";
import { freshTcb } from "./fresh_tcb.ts";

const ALGORITHMS: readonly CongestionName[] = ["unacked", "newreno", "cubic", "bbr"];

/** All fields in order; the parts of the algorithms follow each other, of which a record has one. */
export function formatFields(): ListedField[] {
  const fields = fieldsWith("unacked");
  const after = fields.findIndex(({ name }) => name === "windowFullAt");
  const others = ALGORITHMS.slice(1).flatMap((name) =>
    fieldsWith(name).filter((field) => field.name.startsWith(`${name}.`) || isOfBbr(name, field))
  );
  return [...fields.slice(0, after), ...others, ...fields.slice(after)];
}

function isOfBbr(algorithm: CongestionName, { name }: ListedField): boolean {
  return algorithm === "bbr" && name.startsWith("rate.");
}

function fieldsWith(congestion: CongestionName): ListedField[] {
  const lister = new FieldLister();
  const tcb = freshTcb({ congestion });
  visitEndpoints(noEndpoints(), lister);
  visitPolicies(tcb.config, lister);
  visitTcb(tcb, lister, sendOrdersOf(tcb));
  visitApiRecord({
    ...EMPTY_RECORD,
    plugins: [{ name: "", version: 0, state: null, attachments: 0 }],
  }, lister);
  return lister.fields;
}

/** The table of the documentation, a line for each field. */
export function formatTable(): string[] {
  return formatFields().map(({ name, kind }) => `| \`${name}\` | ${kind} |`);
}
