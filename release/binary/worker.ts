/**
 * A worker of the service in a single program.
 *
 * @module
 */
import "./plugin_modules.ts";
import "../../adapters/service/workers/worker.ts";
