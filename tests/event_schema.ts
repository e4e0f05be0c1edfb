/**
 * Writes `tcp-events.schema.json`.
 *
 * @module
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./support/source_files.ts";
import { tcpEventJsonSchema } from "./support/tcp_event_schema.ts";

writeFileSync(join(ROOT, "tcp-events.schema.json"), tcpEventJsonSchema());
