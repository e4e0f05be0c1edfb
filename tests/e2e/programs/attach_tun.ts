/**
 * Attaches an open descriptor to a TUN device: `attach_tun.ts FD NAME FLAGS`.
 *
 * @module
 */
import process from "node:process";
import * as linux from "../../../adapters/links/tun/linux.ts";
import { openHost } from "../../../adapters/links/tun/open_host.ts";

const [fd, name, flags] = process.argv.slice(2);
const host = openHost();
const request = linux.ifreqFlags(name!, Number(flags));
if (host.libc.ioctl(Number(fd), linux.TUNSETIFF, request) < 0) {
  throw new Error(`Linux error ${host.errno()}`);
}
host.close();
