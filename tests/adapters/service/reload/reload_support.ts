/**
 * A service in this process whose configuration file a test changes.
 *
 * @module
 */
import { join } from "node:path";
import type { HostConnection } from "../../../../adapters/host/connection.ts";
import { dialHost } from "../../../../adapters/host/dial.ts";
import type { Changes } from "../../../../adapters/service/reload/changes.ts";
import { type Service, startService } from "../../../../adapters/service/service.ts";
import { parseConfig } from "../../../../adapters/service/settings/config.ts";
import { mergeSettings } from "../../../../adapters/service/settings/merge.ts";
import type { Settings } from "../../../../adapters/service/settings/settings.ts";
import type { HostPort } from "../../../../core/api/host_port.ts";
import { bytes } from "../../../support/conversation.ts";
import { CollectedLog } from "../../../support/collected_log.ts";
import { TemporaryFolder } from "../../../support/temporary_folder.ts";

/** A configuration file as an object. */
export type Config = Readonly<Record<string, unknown>>;

/** A service on the memory link, with its configuration in a folder of its own. */
export class ChangingService implements AsyncDisposable {
  readonly folder: TemporaryFolder;
  readonly log: CollectedLog;
  readonly service: Service;
  readonly #connections: HostConnection[] = [];

  private constructor(folder: TemporaryFolder, log: CollectedLog, service: Service) {
    this.folder = folder;
    this.log = log;
    this.service = service;
  }

  /** `files` are written to the folder first. */
  static async start(
    config: Config,
    files: Readonly<Record<string, string>> = {},
  ): Promise<ChangingService> {
    const folder = new TemporaryFolder();
    for (const [name, text] of Object.entries(files)) folder.write(name, text);
    const log = new CollectedLog();
    return new ChangingService(
      folder,
      log,
      await startService(settingsIn(folder, config), log.logger),
    );
  }

  /** Reloads with another configuration. */
  async reload(config: Config): Promise<Changes> {
    return await this.service.reload(settingsIn(this.folder, config));
  }

  /** Connects to the port of the host that leads to a port of the stack. */
  async connect(to: number): Promise<HostConnection> {
    const connection = await dialHost(this.portFor(to));
    this.#connections.push(connection);
    return connection;
  }

  /** The published port that leads to a port of the stack. */
  portFor(to: number): HostPort {
    return this.service.published.find((one) => one.to.port === to)!.address;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of this.#connections) connection.abort();
    await this.service.stop();
    this.folder[Symbol.dispose]();
  }
}

function settingsIn(folder: TemporaryFolder, config: Config): Settings {
  return mergeSettings({}, parseConfig(JSON.stringify(config), join(folder.path, "berth.json")));
}

/** Sends text; returns the first chunk of the answer, or how the connection ended. */
export async function say(connection: HostConnection, text: string): Promise<string> {
  const chunk = new Uint8Array(1000);
  try {
    await connection.write(bytes(text));
    const size = await connection.read(chunk);
    return size === null ? "FIN" : new TextDecoder().decode(chunk.subarray(0, size));
  } catch (error) {
    return String((error as { code?: string }).code);
  }
}
