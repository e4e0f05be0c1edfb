/**
 * The first view: figures, listen addresses, drops and connections.
 *
 * @module
 */
/// <reference lib="dom" />
import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import { bitRate, count, milliseconds, type Quantity, text } from "../shared/format.ts";
import { History } from "../shared/history.ts";
import { html } from "../shared/html.ts";
import { Plot } from "../shared/plot.ts";
import type { Address, Api, Listeners, Update, Upstreams } from "./api.ts";
import { ConfirmButton } from "./confirm.ts";
import { Connections, PAGE_ROWS, type View } from "./connections.ts";
import { useLive } from "./live.ts";
import { isDrop, Rates } from "./rates.ts";

const SPAN = 60;
/** Interval between requests for data that changes rarely, in milliseconds. */
const POLL_MS = 5000;
const FIRST_VIEW: View = { filter: "", sort: "", offset: 0 };

/** Properties of the views. */
export interface ViewProps {
  readonly api: Api;
  readonly onSignedOut: () => void;
}

/** The view of the whole service. */
export function Overview({ api, onSignedOut }: ViewProps): VNode {
  const [view, setView] = useState(FIRST_VIEW);
  const [rates] = useState(() => new Rates());
  const [history] = useState(() => ({
    connections: new History(1, SPAN * 10),
    packets: new History(2, SPAN * 10),
    drops: new History(1, SPAN * 10),
  }));
  const listeners = usePolled<Listeners>(api, "/listeners");
  const upstreams = usePolled<Upstreams>(api, "/upstreams");
  const take = ({ time, stats, connections }: Update) => {
    const seconds = time / 1000;
    rates.take(seconds, stats, connections);
    history.connections.add(seconds, stats["connections"] ?? 0);
    history.packets.add(seconds, rates.of("packetsIn"), rates.of("packetsOut"));
    history.drops.add(seconds, rates.ofDrops);
  };
  const { update, trouble } = useLive(api, queryOf(view), take, onSignedOut);
  const version = update?.time ?? 0;
  return html`
    <div class="frame">
      <${Bar} api=${api} update=${update} onSignedOut=${onSignedOut} />
      <main tabindex="-1" aria-label="Overview">
        ${trouble !== undefined && html`<p class="notice" role="status">${trouble}</p>`}
        <dl class="figures">
          <${Figure} name="Connections" value=${count(update?.stats["connections"] ?? 0)} />
          <${Figure} name="Received" quantity=${bitRate(rates.bitsIn)} />
          <${Figure} name="Sent" quantity=${bitRate(rates.bitsOut)} />
          <${Figure} name="Dropped" value=${count(Math.round(rates.ofDrops))} unit="packets/s" />
        </dl>
        <div class="plots">
          <${Plot} title="Connections" version=${version} span=${SPAN} height=${120}
            lines=${[{ label: "open", stroke: "accent", fill: true }]} least=${5}
            columns=${history.connections.columns} format=${count} />
          <${Plot} title="Packets per second" version=${version} span=${SPAN} height=${120}
            lines=${[{ label: "received", stroke: "accent" }, { label: "sent", stroke: "ink" }]}
            columns=${history.packets.columns} format=${count} least=${5} />
          <${Plot} title="Dropped per second" version=${version} span=${SPAN} height=${120}
            lines=${[{ label: "dropped", stroke: "accent", fill: true }]} least=${5}
            columns=${history.drops.columns} format=${count} least=${5} />
        </div>
        <${Connections} view=${view} onView=${setView} update=${update} rates=${rates} />
        <div class="columns">
          <${Listening} listeners=${listeners} />
          <${Published} listeners=${listeners} />
          <${Drops} stats=${update?.stats ?? {}} />
        </div>
        <${UpstreamList} upstreams=${upstreams?.upstreams ?? []} />
      </main>
    </div>
  `;
}

function queryOf({ filter, sort, offset }: View): string {
  return new URLSearchParams({
    everyMs: "500",
    limit: String(PAGE_ROWS),
    offset: String(offset),
    ...sort !== "" && { sort },
    ...filter !== "" && { filter },
  }).toString();
}

/** An answer that changes rarely, requested at intervals. */
function usePolled<T>(api: Api, path: string): T | undefined {
  const [answer, setAnswer] = useState<T | undefined>(undefined);
  useEffect(() => {
    const load = () => {
      if (!document.hidden) api.ask<T>("GET", path).then(setAnswer).catch(() => {});
    };
    load();
    const timer = setInterval(load, POLL_MS);
    return () => clearInterval(timer);
  }, [path]);
  return answer;
}

function Bar(
  { api, update, onSignedOut }: ViewProps & { readonly update: Update | undefined },
): VNode {
  const { ready = true, reason = "" } = update?.ready ?? {};
  const reload = async () => {
    const { listen, publish } = await api.ask<{
      listen: Record<"added" | "removed" | "changed", string[]>;
      publish: Record<"added" | "removed" | "changed", string[]>;
    }>("POST", "/reload");
    const changes = Object.entries({
      ...prefixed("listen", listen),
      ...prefixed("publish", publish),
    })
      .filter(([, list]) => list.length > 0).map(([what, list]) => `${what}: ${list.join(", ")}`);
    return changes.length === 0 ? "Reloaded; no listen address has changed." : changes.join("; ");
  };
  const drain = async () => {
    const { connections } = await api.ask<{ connections: number }>("POST", "/drain");
    return `Draining. Open connections: ${count(connections)}.`;
  };
  return html`
    <header class="bar">
      <h1><a class="name" href="#/">berth</a></h1>
      <span class=${ready ? "state" : "state off"} role="status">
        ${update === undefined ? "connecting" : ready ? "serving" : reason}
      </span>
      <div class="actions">
        <${ConfirmButton} label="Reload" title="Reload the configuration?" act=${reload}>
          The service reads its configuration file again. Open connections continue; a file with an
          error changes nothing.
        <//>
        <${ConfirmButton} label="Drain" title="Drain the service?" act=${drain}
          disabled=${reason === "draining"}>
          New connections are refused, and running ones continue until they end. Only a restart of
          the service undoes this.
        <//>
        <button onClick=${() => api.signOut().then(onSignedOut)}>Sign out</button>
      </div>
    </header>
  `;
}

function prefixed(prefix: string, lists: Record<string, string[]>): Record<string, string[]> {
  return Object.fromEntries(
    Object.entries(lists).map(([name, list]) => [`${prefix} ${name}`, list]),
  );
}

function Figure({ name, quantity, value, unit }: {
  readonly name: string;
  readonly quantity?: Quantity;
  readonly value?: string;
  readonly unit?: string;
}): VNode {
  return html`
    <div>
      <dt>${name}</dt>
      <dd>${quantity?.value ?? value}<span class="unit">${quantity?.unit ?? unit}</span></dd>
    </div>
  `;
}

interface ListenersProps {
  readonly listeners: Listeners | undefined;
}

function Listening({ listeners }: ListenersProps): VNode {
  return html`
    <section>
      <div class="head">
        <h2 id="listening">Listening</h2>
      </div>
      <table class="wrap" aria-labelledby="listening">
        <thead>
          <tr>
            <th scope="col">Address</th>
            <th scope="col">Served by</th>
          </tr>
        </thead>
        <tbody>
          ${listeners?.listen.map(({ where, plugins }) =>
            html`
              <tr>
                <td class="mono">${where}</td>
                <td>${plugins.join(" → ")}</td>
              </tr>
            `
          )}
        </tbody>
      </table>
    </section>
  `;
}

function Published({ listeners }: ListenersProps): VNode {
  const publish = listeners?.publish ?? [];
  return html`
    <section>
      <div class="head"><h2 id="published">Ports of the host</h2></div>
      ${publish.length === 0 ? html`<p class="none">No published ports.</p>` : html`
        <table class="wrap" aria-labelledby="published">
          <thead>
            <tr>
              <th scope="col">Port</th>
              <th scope="col">Target</th>
            </tr>
          </thead>
          <tbody>
            ${publish.map(({ transport, address, to }) =>
              html`
                <tr>
                  <td class="mono">${transport === "udp" ? "udp/" : ""}${formatAddress(
                    address,
                  )}</td>
                  <td class="mono">${formatAddress(to)}</td>
                </tr>
              `
            )}
          </tbody>
        </table>
      `}
    </section>
  `;
}

function UpstreamList({ upstreams }: Upstreams): VNode | null {
  if (upstreams.length === 0) return null;
  return html`
    <section>
      <div class="head">
        <h2 id="upstreams">Upstreams</h2>
      </div>
      <div class="scroll" tabindex="0" role="region" aria-labelledby="upstreams">
        <table aria-labelledby="upstreams">
          <thead>
            <tr>
              <th scope="col">Upstream</th>
              <th scope="col">State</th>
              <th scope="col" class="number">Connections</th>
              <th scope="col" class="number">Failures</th>
              <th scope="col" class="number">Handshake</th>
            </tr>
          </thead>
          <tbody>
            ${upstreams.map(({ upstream, up, open, failures, connectMs }) =>
              html`
                <tr>
                  <td class="mono">${upstream}</td>
                  <td><span class=${up ? "state" : "state off"}>${up ? "up" : "down"}</span></td>
                  <td class="number">${count(open)}</td>
                  <td class="number">${count(failures)}</td>
                  <td class="number">
                    ${connectMs === null ? "–" : text(milliseconds(connectMs))}
                  </td>
                </tr>
              `
            )}
          </tbody>
        </table>
      </div>
    </section>
  `;
}

function formatAddress({ hostname, port }: Address): string {
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}

function Drops({ stats }: { readonly stats: Readonly<Record<string, number>> }): VNode {
  const drops = Object.entries(stats).filter(([name, value]) => isDrop(name) && value > 0)
    .sort(([, a], [, b]) => b - a);
  return html`
    <section>
      <div class="head"><h2 id="drops">Dropped packets by reason</h2></div>
      ${drops.length === 0 ? html`<p class="none">None so far.</p>` : html`
        <table class="wrap" aria-labelledby="drops">
          <thead>
            <tr>
              <th scope="col">Reason</th>
              <th scope="col" class="number">Packets</th>
            </tr>
          </thead>
          <tbody>
            ${drops.map(([name, value]) =>
              html`
                <tr>
                  <td class="mono">${name.replace(/(^|\.)drop\./, "$1")}</td>
                  <td class="number">${count(value)}</td>
                </tr>
              `
            )}
          </tbody>
        </table>
      `}
    </section>
  `;
}
