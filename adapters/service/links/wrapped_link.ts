/**
 * The link of the service, with impairments and recording around it.
 *
 * @module
 */
import { type Logger, systemClock } from "../../../core/api/environment.ts";
import { parseListenAddress } from "../../../core/api/listen_address.ts";
import { BindingTable } from "../../../core/stack/binding_table.ts";
import type { Link } from "../../../core/stack/link.ts";
import { IpAddress } from "../../../core/wire/address.ts";
import { captureFile } from "../../links/decorators/capture_file.ts";
import { impair, type ImpairedLink } from "../../links/decorators/impair.ts";
import { type CapturedLink, type NameConnection, pcapng } from "../../links/decorators/pcapng.ts";
import { messageLine } from "../errors.ts";
import type { ListenSetting } from "../settings/listen_setting.ts";
import type { Settings } from "../settings/settings.ts";

/** Changes and observes the link while it is in use. */
export interface LinkControls {
  readonly captured: CapturedLink;
  readonly impaired: ImpairedLink;
}

/** A link with its wrappers. */
export interface WrappedLink {
  /** The link for the stack. */
  readonly link: Link;
  /** The controls for the admin API; absent without one. */
  readonly controls: LinkControls | undefined;
  /** Names the plugins of other listen addresses in the recording. */
  update(settings: Pick<Settings, "listen">): void;
  /** Ends the recording; the stack closes the link. */
  finish(): Promise<void>;
}

/** Maximum number of packets that are delayed by impairments which the admin API has set. */
const LATE_QUEUE = 10_000;

/**
 * Adds the configured impairments and recording. With an admin API both are always added, because it may start them
 * later. The recording shows the packets as the stack sends and receives them.
 */
export function wrapLink(link: Link, settings: Settings, log: Logger): WrappedLink {
  const { impair: impairments, capture, admin, listen } = settings;
  const impaired = impairments === undefined && admin === undefined
    ? undefined
    : impairLink(link, impairments);
  const path = impaired ?? link;
  if (capture === undefined && impaired === undefined) {
    return { link, controls: undefined, update() {}, finish: () => Promise.resolve() };
  }
  let current = listen;
  // Created on first use, because not every service is recorded.
  let names: NameConnection | undefined;
  const nameConnection: NameConnection = (...of) => (names ??= pluginNames(current))(...of);
  const captured = pcapng(path, { nameConnection });
  const finish = capture === undefined ? () => Promise.resolve() : record(captured, capture, log);
  return {
    link: captured,
    controls: impaired && { captured, impaired },
    update({ listen }) {
      current = listen;
      names = undefined;
    },
    finish,
  };
}

function impairLink(link: Link, impairments: Settings["impair"]): ImpairedLink {
  const common = { clock: systemClock, seed: 1 };
  return impairments === undefined
    ? impair(link, { ...common, queue: LATE_QUEUE, splitsSuperPackets: true })
    : impair(link, { ...common, ...impairments });
}

/** Records to the configured file; returns a function that ends the recording. */
function record(
  captured: CapturedLink,
  capture: NonNullable<Settings["capture"]>,
  log: Logger,
): () => Promise<void> {
  const { file: name, maxBytes, files } = capture;
  const file = captureFile(name, {
    ...(maxBytes === undefined ? {} : { maxBytes }),
    ...(files === undefined ? {} : { files }),
    onError: (error) => log.error("recording stopped", { file: name, reason: messageLine(error) }),
  });
  captured.record(file.write);
  return async () => {
    await file.close();
    if (file.dropped > 0) log.warn("packets missing from the recording", { count: file.dropped });
  };
}

/** Names the plugin that serves a connection. */
function pluginNames(listen: readonly ListenSetting[]): NameConnection {
  const plugins = { tcp: new BindingTable<string>(), udp: new BindingTable<string>() };
  for (const { where, plugin } of listen) {
    const place = parseListenAddress(where);
    plugins[place.transport].add(place, plugin);
  }
  return ({ transport, local }) => {
    const { w0, w1, w2, w3 } = IpAddress.parse(local.hostname)!;
    return plugins[transport].find(w0, w1, w2, w3, local.port);
  };
}
