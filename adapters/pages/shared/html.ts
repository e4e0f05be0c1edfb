/**
 * Markup in template strings.
 *
 * @module
 */
import htm from "htm";
import { h, type VNode } from "preact";

/** What a component returns. */
export type View = VNode | VNode[] | string | null;

/** `` html`<p>…</p>` `` as an element of preact. */
export const html: (strings: TemplateStringsArray, ...values: readonly unknown[]) => VNode =
  (htm as unknown as typeof Function.prototype).bind(h);
