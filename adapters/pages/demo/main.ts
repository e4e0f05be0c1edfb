/**
 * The front page of the demo.
 *
 * @module
 */
/// <reference lib="dom" />
import { render } from "preact";
import { html } from "../shared/html.ts";
import { Network } from "./network.ts";
import { remoteSource } from "./source.ts";

/** The answer of `/about`. */
interface About {
  /** How this program was started, without its flags. */
  readonly command: string;
  readonly places: readonly {
    readonly where: string;
    readonly plugin: string;
    /** A command or URL for it, if it can be reached from this machine. */
    readonly access?: string;
  }[];
}

const REFRESH_MS = 1000;

const byId = (id: string) => document.getElementById(id)!;

render(html`<${Network} source=${remoteSource} />`, byId("network"));

async function showPlaces(): Promise<void> {
  const { command, places }: About = await (await fetch("/about")).json();
  render(
    html`${
      places.map(({ where, plugin, access }) =>
        html`
          <tr>
            <td class="mono">${where}</td>
            <td>${plugin}</td>
            <td class="mono">
              ${access?.startsWith("http") ? html`<a href=${access}>${access}</a>` : access}
            </td>
          </tr>
        `
      )
    }`,
    byId("places"),
  );
  byId("serve-app").textContent = `${command} --listen 80=http:./app.ts`;
  byId("serve-plugin").textContent = `${command} --listen 9000=./shout.ts\nnc 127.0.0.1 9000`;
  byId("serve-subnet").textContent = `${command} --tun berth0 \\\n  --address 10.7.0.0/16`;
}

async function showConnection(): Promise<void> {
  const facts: Record<string, string | number> = await (await fetch("/connection")).json();
  render(
    html`${
      Object.entries(facts).map(([name, value]) =>
        html`
          <tr>
            <th scope="row">${name}</th>
            <td class="number mono">${value}</td>
          </tr>
        `
      )
    }`,
    byId("facts"),
  );
}

const form = byId("echo") as HTMLFormElement;
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const began = performance.now();
  const body = String(new FormData(form).get("text"));
  const answer = await (await fetch("/echo", { method: "POST", body })).text();
  const ms = performance.now() - began;
  form.querySelector("output")!.textContent = `${answer}, after ${ms.toFixed(1)} ms`;
});

await showPlaces();
setInterval(() => void (document.hidden || showConnection().catch(() => {})), REFRESH_MS);
await showConnection();
