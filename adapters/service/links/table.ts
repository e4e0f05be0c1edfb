/**
 * The kinds of links for `--link` and `link`.
 *
 * @module
 */
import { suggestionFor } from "../../../core/api/suggestion.ts";
import { dgram } from "./dgram.ts";
import { fd } from "./fd.ts";
import type { LinkEnvironment, LinkKind, OpenedLink } from "./kind.ts";
import { stream } from "./stream.ts";
import { tap } from "./tap.ts";
import { tun } from "./tun.ts";
import { udp } from "./udp.ts";
import { vxlan } from "./vxlan.ts";
import { ws } from "./ws.ts";

/** A checked `--link`. It can be sent to a worker. */
export interface LinkSetting {
  /** A key of {@link LINK_KINDS}. */
  readonly kind: string;
  /** The checked options of the kind. */
  readonly options: unknown;
}

/** Every kind of link. */
export const LINK_KINDS: Readonly<Record<string, LinkKind>> = {
  tun,
  tap,
  fd,
  vxlan,
  udp,
  ws,
  stream,
  dgram,
};

/** Parses `KIND:VALUE,NAME=VALUE,...`; returns a message if it is invalid. */
export function parseLink(text: string): LinkSetting | string {
  const at = text.indexOf(":");
  const name = at < 0 ? text : text.slice(0, at);
  const kind = Object.hasOwn(LINK_KINDS, name) ? LINK_KINDS[name]! : undefined;
  if (kind === undefined) {
    const kinds = Object.keys(LINK_KINDS);
    const suggestion = suggestionFor(name, kinds);
    const advice = suggestion === undefined
      ? `there are ${kinds.join(", ")}`
      : `did you mean ${suggestion}?`;
    return `there is no link "${name}"; ${advice}`;
  }
  const given = at < 0 ? {} : readOptions(text.slice(at + 1), kind.first);
  const checked = typeof given === "string" ? given : kind.check(given);
  if (typeof checked === "string") return `${checked}; expected ${kind.usage}`;
  return { kind: name, options: checked.options };
}

/** The same link with paths relative to `folder`. */
export function locateLink({ kind, options }: LinkSetting, folder: string): LinkSetting {
  return { kind, options: LINK_KINDS[kind]!.locate(options, folder) };
}

/** The default MTU of a link; `undefined` if the default of `--mtu` applies. */
export function defaultMtu({ kind, options }: LinkSetting): number | undefined {
  return LINK_KINDS[kind]!.mtu(options);
}

/** Whether the kernel is at the other end of the link and can connect to the stack by itself. */
export function isThroughKernel({ kind }: LinkSetting): boolean {
  return LINK_KINDS[kind]!.throughKernel;
}

/** Opens the link of a setting. */
export function openLink(
  { kind, options }: LinkSetting,
  environment: LinkEnvironment,
): Promise<OpenedLink> {
  return LINK_KINDS[kind]!.open(options, environment);
}

type GivenOptions = Record<string, string | string[]>;

function readOptions(text: string, first: string | undefined): GivenOptions | string {
  const options: GivenOptions = {};
  for (const [index, part] of text.split(",").entries()) {
    const at = part.indexOf("=");
    const name = at < 0 && index === 0 ? first : part.slice(0, Math.max(at, 0));
    if (name === undefined || name === "") return `"${part}" is not NAME=VALUE`;
    const value = part.slice(at + 1);
    const before = Object.hasOwn(options, name) ? options[name]! : undefined;
    options[name] = before === undefined ? value : [before, value].flat();
  }
  return options;
}
