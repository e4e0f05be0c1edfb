/**
 * The table of connections; the server sends one page of it at a time.
 *
 * @module
 */
/// <reference lib="dom" />
import type { VNode } from "preact";
import { useCallback, useEffect, useState } from "preact/hooks";
import { bitRate, bytes, count, duration, milliseconds, text } from "../shared/format.ts";
import { html } from "../shared/html.ts";
import type { Row, Update } from "./api.ts";
import type { Rates } from "./rates.ts";

/** Number of rows per page. */
export const PAGE_ROWS = 25;
/** Time after the last key before the filter is sent, in milliseconds. */
const TYPING_MS = 250;

/** The page that is shown: its filter, order and position. */
export interface View {
  readonly filter: string;
  /** A field; a `-` in front of it sorts the largest first. */
  readonly sort: string;
  readonly offset: number;
}

interface Column {
  readonly title: string;
  readonly field?: keyof Row;
  readonly isText?: boolean;
  readonly show: (row: Row, rates: Rates) => string;
}

const COLUMNS: readonly Column[] = [
  { title: "Local", isText: true, show: ({ local }) => local },
  { title: "Plugin", isText: true, field: "plugin", show: ({ plugin }) => plugin ?? "–" },
  {
    title: "Waits for",
    isText: true,
    field: "waitsFor",
    show: ({ waitsFor }) => waitsFor.replaceAll("-", " "),
  },
  { title: "Age", field: "ageSeconds", show: ({ ageSeconds }) => text(duration(ageSeconds)) },
  { title: "In", field: "bytesIn", show: ({ bytesIn }) => text(bytes(bytesIn)) },
  { title: "Out", field: "bytesOut", show: ({ bytesOut }) => text(bytes(bytesOut)) },
  { title: "Goodput", show: ({ id }, rates) => formatOptional(rates.goodput(id), bitRate) },
  {
    title: "RTT",
    field: "srttMs",
    show: ({ srttMs }) => formatOptional(srttMs || undefined, milliseconds),
  },
  { title: "cwnd", field: "cwnd", show: ({ cwnd }) => text(bytes(cwnd)) },
  { title: "In flight", field: "flightSize", show: ({ flightSize }) => text(bytes(flightSize)) },
  { title: "Retransmits", field: "retransmits", show: ({ retransmits }) => count(retransmits) },
];

function formatOptional(value: number | undefined, format: typeof bytes): string {
  return value === undefined ? "–" : text(format(value));
}

/** Properties of {@link Connections}. */
export interface ConnectionsProps {
  readonly view: View;
  readonly onView: (view: View) => void;
  readonly update: Update | undefined;
  readonly rates: Rates;
}

/** Filter, table and the buttons for other pages. */
export function Connections({ view, onView, update, rates }: ConnectionsProps): VNode {
  const { total = 0, connections = [] } = update ?? {};
  const { offset, sort } = view;
  const last = Math.min(offset + PAGE_ROWS, total);
  const range = total === 0 ? "none" : `${count(offset + 1)}–${count(last)} of ${count(total)}`;
  const setFilter = useCallback((filter: string) => onView({ ...view, filter, offset: 0 }), [view]);
  const move = (rows: number) => onView({ ...view, offset: Math.max(0, offset + rows) });
  return html`
    <section>
      <div class="head">
        <h2 id="connections">Connections</h2>
        <span class="muted">${range}</span>
        <div class="end">
          <${Filter} filter=${view.filter} onFilter=${setFilter} />
          <button disabled=${offset === 0} onClick=${() => move(-PAGE_ROWS)}>Previous</button>
          <button disabled=${last >= total} onClick=${() => move(PAGE_ROWS)}>Next</button>
        </div>
      </div>
      <div class="scroll" tabindex="0" role="region" aria-labelledby="connections">
        <table aria-labelledby="connections">
          <thead>
            <tr>
              <th scope="col">Remote</th>
              ${COLUMNS.map((column) =>
                html`
                  <${Heading} column=${column} sort=${sort}
                    onSort=${(sort: string) => onView({ ...view, sort, offset: 0 })} />
                `
              )}
            </tr>
          </thead>
          <tbody>
            ${connections.map((row) =>
              html`
                <tr key=${row.id}>
                  <td class="mono">
                    <a href=${`#/connections/${encodeURIComponent(row.id)}`}>${row.remote}</a>
                  </td>
                  ${COLUMNS.map(({ title, isText, show }) =>
                    html`
                      <td class=${title === "Local" ? "mono" : isText ? "" : "number"}>
                        ${show(row, rates)}
                      </td>
                    `
                  )}
                </tr>
              `
            )}
          </tbody>
        </table>
      </div>
      ${total === 0 && update !== undefined &&
        html`<p class="none">${
          view.filter === "" ? "No open connections." : "No connection matches."
        }</p>`}
    </section>
  `;
}

function Filter({ filter, onFilter }: {
  readonly filter: string;
  readonly onFilter: (filter: string) => void;
}): VNode {
  const [typed, setTyped] = useState(filter);
  useEffect(() => {
    if (typed.trim() === filter) return;
    const timer = setTimeout(() => onFilter(typed.trim()), TYPING_MS);
    return () => clearTimeout(timer);
  }, [typed, filter, onFilter]);
  return html`
    <input type="search" placeholder="Filter" aria-label="Filter connections" value=${typed}
      onInput=${(event: InputEvent) => setTyped((event.target as HTMLInputElement).value)} />
  `;
}

/** A heading that sorts by its column. Clicks switch from the largest first to the smallest first, then to no order. */
function Heading({ column: { title, field, isText }, sort, onSort }: {
  readonly column: Column;
  readonly sort: string;
  readonly onSort: (sort: string) => void;
}): VNode {
  const className = isText ? "" : "number";
  if (field === undefined) return html`<th scope="col" class=${className}>${title}</th>`;
  const next = sort === `-${field}` ? field : sort === field ? "" : `-${field}`;
  const order = sort === `-${field}` ? "descending" : sort === field ? "ascending" : undefined;
  const mark = order === undefined ? "" : order === "descending" ? " ↓" : " ↑";
  return html`
    <th scope="col" class=${className} aria-sort=${order}>
      <button onClick=${() => onSort(next)}>${title}${mark}</button>
    </th>
  `;
}
