/**
 * The demo network on a page without a server: both stacks run in the page.
 *
 * @module
 */
/// <reference lib="dom" />
import { render } from "preact";
import { DemoNetwork } from "../../demo_network/demo_network.ts";
import { html } from "../shared/html.ts";
import { Network } from "./network.ts";
import type { DemoSource } from "./source.ts";

const SAMPLE_MS = 100;

let network: DemoNetwork | undefined;

const localSource: DemoSource = {
  follow(take, signal) {
    const own = network = new DemoNetwork();
    const timer = setInterval(() => take(own.sample()), SAMPLE_MS);
    signal.addEventListener("abort", () => {
      clearInterval(timer);
      void own.close();
    });
  },
  set: (changes) => network?.set(changes),
};

render(html`<${Network} source=${localSource} />`, document.getElementById("network")!);
