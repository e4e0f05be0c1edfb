/**
 * Whether a service asks a registry for what its plugins import.
 *
 * @module
 */
import { join } from "node:path";
import process from "node:process";
import { Program, runtimeCommand } from "./program.ts";
import type { Runtime } from "./runtimes.ts";
import { ROOT } from "./source_files.ts";

/** Packages that plugins get from the host. */
export const HOST_PACKAGES: readonly string[] = ["@berth/berth", "hono", "zod/v4"];
/** What plugins import: packages of the host, and names that anyone could own. */
export const PLUGIN_IMPORTS: readonly string[] = [
  ...HOST_PACKAGES,
  ...["nobody-berth-test", "npm:nobody-berth-test@1", "npm:hono", "jsr:@nobody/berth-test@1"],
];

/** A server that stands for all registries, and the environment in which a runtime would ask it. */
export class RequestLog {
  readonly #program: Program;
  /** A prefix of a command. */
  readonly environment: readonly string[];

  private constructor(program: Program, url: string, runtime: Runtime["name"]) {
    this.#program = program;
    // Deno asks a registry that it has not seen for the packages of this project too, so it has the
    // registry that installed them, and the server as its proxy.
    const registry = ["npm_config_registry", "NPM_CONFIG_REGISTRY", "BUN_CONFIG_REGISTRY"];
    const proxy = ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"];
    this.environment = [
      "env",
      ...["-u", "no_proxy", "-u", "NO_PROXY"],
      ...(runtime === "Bun" ? registry : proxy).map((variable) => `${variable}=${url}`),
    ];
  }

  /** `enter`: the prefix of a command in a namespace; `runtime`: what runs the service. */
  static async open(
    enter: readonly string[] = [],
    runtime: Runtime["name"] = process.versions["bun"] === undefined ? "Deno" : "Bun",
  ): Promise<RequestLog> {
    const module = join(ROOT, "tests/support/request_log_server.ts");
    const program = new Program([...enter, ...runtimeCommand(module)], ROOT);
    const [, port] = await program.printed(/^(\d+)\n/);
    return new RequestLog(program, `http://127.0.0.1:${port}/`, runtime);
  }

  /** Ends it. */
  async requests(): Promise<string[]> {
    this.#program.signal("SIGTERM");
    const { out } = await this.#program.finish(30_000);
    return out.split("\n").slice(1, -1);
  }
}
