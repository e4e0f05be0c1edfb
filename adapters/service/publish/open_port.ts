/**
 * Ports of the host, or why one cannot be had.
 *
 * @module
 */
import { formatHostPort, type HostPort } from "../../../core/api/host_port.ts";
import { messageOf } from "../errors.ts";
import type { PublishSetting } from "../settings/publish_setting.ts";

/** Ports tried after a taken one. */
const MORE_PORTS = 100;
const LAST_PORT = 65_535;

/** What the commonest failures mean. */
const WHY_NOT: Readonly<Record<string, string>> = {
  EACCES: "ports below 1024 need root; choose another one",
  EADDRINUSE: "the port is taken",
  EADDRNOTAVAIL: "the host has no such address",
  EINVAL: "the host has no such address",
};

/**
 * Opens a port as `setting` says; resolves with the address that was taken.
 *
 * @throws {Error} It cannot be had; the message says why.
 */
export async function openPort(
  setting: PublishSetting,
  open: (hostname: string, port: number) => Promise<number>,
): Promise<HostPort> {
  const { hostname, port } = setting;
  const last = setting.orNextFree ? Math.min(port + MORE_PORTS, LAST_PORT) : port;
  for (let next = port;; next++) {
    try {
      return { hostname, port: await open(hostname, next) };
    } catch (error) {
      const { code } = error as { code?: string };
      if (code === "EADDRINUSE" && next < last) continue;
      const reason = (code && WHY_NOT[code]) ?? messageOf(error);
      throw new Error(`Cannot publish ${formatHostPort(setting)}: ${reason}`);
    }
  }
}
