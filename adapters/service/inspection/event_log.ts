import { formatHostPort } from "../../../core/api/host_port.ts";
import { qlogStream } from "../../../core/api/tcp/qlog.ts";
import type { Clock } from "../../../core/api/environment.ts";
import type { OpenConnection } from "../../../core/api/types.ts";
import type { EventLogSource, OpenedStream } from "./stream_source.ts";

/** The event log of a connection as a qlog file. */
export function streamEventLog(
  connection: OpenConnection,
  { format, maxEvents }: EventLogSource,
  clock: Pick<Clock, "now">,
): OpenedStream {
  const { localAddr, remoteAddr } = connection;
  return qlogStream(connection.eventLog({ maxEvents }), {
    format,
    title: `${formatHostPort(localAddr)} ${formatHostPort(remoteAddr)}`,
    clockStarted: new Date(Date.now() - clock.now()),
  });
}
