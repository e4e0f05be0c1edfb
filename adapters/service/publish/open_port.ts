/**
 * Opens ports of the host.
 *
 * @module
 */
import { formatHostPort, type HostPort } from "../../../core/api/host_port.ts";
import { messageLine } from "../errors.ts";
import type { PublishSetting } from "../settings/publish_setting.ts";

/** Number of further ports that are tried if a port is in use. */
const MORE_PORTS = 100;
const LAST_PORT = 65_535;

/** Explanations of the usual errors, by code. */
const ERROR_REASONS: Readonly<Record<string, string>> = {
  EACCES: "ports below 1024 need root; choose another port",
  EADDRINUSE: "the port is in use",
  EADDRNOTAVAIL: "the host has no such address",
  EINVAL: "the host has no such address",
};

/**
 * Opens the port of `setting`; resolves with its address.
 *
 * @throws {Error} It cannot be opened; the message says why.
 */
export async function openPort(
  setting: PublishSetting,
  open: (hostname: string, port: number) => Promise<number>,
): Promise<HostPort> {
  const { hostname, port } = setting;
  const last = setting.allowsNextPort ? Math.min(port + MORE_PORTS, LAST_PORT) : port;
  for (let next = port;; next++) {
    try {
      return { hostname, port: await open(hostname, next) };
    } catch (error) {
      const { code } = error as { code?: string };
      if (code === "EADDRINUSE" && next < last) continue;
      const reason = (code && ERROR_REASONS[code]) ?? messageLine(error);
      throw new Error(`Cannot publish ${formatHostPort(setting)}: ${reason}`, { cause: error });
    }
  }
}
