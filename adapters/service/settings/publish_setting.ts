/**
 * Entries of `publish`: a port of the host that leads into the stack, or one of the stack that leads
 * to the host.
 *
 * @module
 */
import { z } from "zod";
import { type HostPort, parseHostPort } from "../../../core/api/host_port.ts";
import { formatListenAddress, parseListenAddress } from "../../../core/api/listen_address.ts";
import { parseDialTarget } from "../../../plugins/shared/dial.ts";
import { messageLine } from "../errors.ts";
import { type Origin, pathFrom } from "./setting.ts";

/** A port of the host, and the address in the stack that it leads to. */
export interface PublishSetting extends HostPort {
  /** `"udp"`; absent for TCP. */
  readonly transport?: "udp" | undefined;
  /** The address that the stack connects to. */
  readonly to: HostPort;
  /** Whether one of the next hundred ports may be used if `port` is in use. */
  readonly allowsNextPort?: boolean;
}

/** A listen address of the stack that leads to the host. */
export interface StackPublishSetting {
  /** As `formatListenAddress()` writes it. */
  readonly where: string;
  /** Targets of `forward`, separated by commas. */
  readonly targets: string;
}

const EXPECTED = "expected [udp/][HOST:]PORT=ADDRESS:PORT such as 8080=10.7.0.2:80, or " +
  "stack/WHERE=TARGET such as stack/8080=127.0.0.1:3000";

const FROM_STACK = "stack/";

/**
 * `[tcp/|udp/][HOST:]PORT=ADDRESS:PORT`, where HOST is 127.0.0.1 by default; or
 * `stack/[tcp/|udp/][ADDRESS[/LENGTH]:]PORTS=TARGET,...`.
 */
export const publishSchema: z.ZodType<PublishSetting | StackPublishSetting, string> = z.string()
  .transform((text, c) => {
    const at = text.indexOf("=");
    const [from, to] = at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
    const parsed = from.startsWith(FROM_STACK)
      ? parseStackSide(from.slice(FROM_STACK.length), to)
      : parseHostSide(from, to);
    if (typeof parsed !== "string") return parsed;
    c.addIssue(parsed === "" ? `${EXPECTED}, got ${text}` : parsed);
    return z.NEVER;
  });

/** The setting, or a message that says why the text is not one. An empty string stands for the general message. */
function parseHostSide(from: string, destination: string): PublishSetting | string {
  const [, transport, place = ""] = /^(?:(tcp|udp)\/)?(.*)$/.exec(from) ?? [];
  const host = parseHostPort(/^\d+$/.test(place) ? `127.0.0.1:${place}` : place);
  const to = parseHostPort(destination);
  if (!host || !to || to.port === 0) return "";
  return transport === "udp" ? { ...host, to, transport } : { ...host, to };
}

function parseStackSide(from: string, targets: string): StackPublishSetting | string {
  const isTarget = (target: string) => parseDialTarget(target) !== undefined;
  if (!targets.split(",").every(isTarget)) return "";
  try {
    return { where: formatListenAddress(parseListenAddress(from)), targets };
  } catch (error) {
    return messageLine(error);
  }
}

/** The setting with paths of Unix sockets relative to its origin's folder. */
export function locatePublish(
  setting: PublishSetting | StackPublishSetting,
  { folder }: Origin,
): PublishSetting | StackPublishSetting {
  if (!isStackPublish(setting)) return setting;
  const targets = setting.targets.split(",").map((target) => targetFrom(folder, target));
  return { ...setting, targets: targets.join(",") };
}

/** A target of `forward`; the path of a Unix socket is relative to `folder`. */
export function targetFrom(folder: string, target: string): string {
  const [, path] = /^unix:(.+)$/.exec(target) ?? [];
  return path === undefined ? target : `unix:${pathFrom(folder, path)}`;
}

/** Whether a setting publishes a port of the stack. */
export function isStackPublish(
  setting: PublishSetting | StackPublishSetting,
): setting is StackPublishSetting {
  return "where" in setting;
}
