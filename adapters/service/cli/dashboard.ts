/**
 * The command `dashboard`: opens the page of a running service.
 *
 * @module
 */
import { formatHostPort } from "../../../core/api/host_port.ts";
import { openSocketProxy } from "../dashboard/socket_proxy.ts";
import { adminOf, askService, flagsOf } from "./remote.ts";
import { waitForShutdownSignal } from "./signals.ts";

/** What the command does, for `--help` and completion. */
export const DASHBOARD_HELP = "print a URL that opens the dashboard of a running service";

/**
 * Prints a URL that signs in once. If the admin API is on a Unix socket, which no browser can open, the page
 * is served here until a signal arrives.
 *
 * @throws {UsageError} A flag is invalid, or no flag has the address of the admin API.
 * @throws {Error} The service cannot be reached, or refuses.
 */
export async function runDashboard(
  args: readonly string[],
  print: (text: string) => void,
): Promise<0> {
  const admin = adminOf(flagsOf("dashboard", args));
  if (!("path" in admin.listen)) {
    const { body } = await askService(admin, "POST", "/session/key");
    const { key } = body as { readonly key: string };
    print(`open http://${formatHostPort(admin.listen)}/#key=${key}\n${VALIDITY}`);
    return 0;
  }
  await askService(admin, "GET", "/livez");
  const { url, close } = await openSocketProxy(admin.listen.path);
  print(`open ${url}\n${VALIDITY}; Ctrl+C ends the dashboard`);
  await waitForShutdownSignal(() => {});
  await close();
  return 0;
}

const VALIDITY = "the URL can be used once, within two minutes";
