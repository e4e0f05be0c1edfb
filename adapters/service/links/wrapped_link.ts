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
import { impair } from "../../links/decorators/impair.ts";
import { type NameConnection, pcapng } from "../../links/decorators/pcapng.ts";
import { messageLine } from "../errors.ts";
import type { ListenSetting } from "../settings/listen_setting.ts";
import type { Settings } from "../settings/settings.ts";

/** A link with its wrappers. */
export interface WrappedLink {
  /** The link for the stack. */
  readonly link: Link;
  /** Names the plugins of other listen addresses in the recording. */
  update(settings: Pick<Settings, "listen">): void;
  /** Ends the recording; the stack closes the link. */
  finish(): Promise<void>;
}

/** Adds the configured impairments and recording; the recording shows what the stack sees. */
export function wrapLink(link: Link, settings: Settings, log: Logger): WrappedLink {
  const { impair: impairments } = settings;
  const { seed = 1, ...rest } = impairments ?? {};
  const path = impairments === undefined
    ? link
    : impair(link, { seed, clock: systemClock, ...rest });
  return record(path, settings, log);
}

function record(link: Link, { capture, listen }: Settings, log: Logger): WrappedLink {
  if (capture === undefined) return { link, update() {}, finish: () => Promise.resolve() };
  const { file: name, maxBytes, files } = capture;
  const file = captureFile(name, {
    ...(maxBytes === undefined ? {} : { maxBytes }),
    ...(files === undefined ? {} : { files }),
    onError: (error) => log.error("recording stopped", { file: name, reason: messageLine(error) }),
  });
  let nameConnection = pluginNames(listen);
  const recorded = pcapng(link, { nameConnection: (connection) => nameConnection(connection) });
  recorded.record(file.write);
  return {
    link: recorded,
    update: (settings) => void (nameConnection = pluginNames(settings.listen)),
    async finish() {
      await file.close();
      if (file.dropped > 0) log.warn("packets missing from the recording", { count: file.dropped });
    },
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
