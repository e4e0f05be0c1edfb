import { formatHostPort } from "../../../core/api/host_port.ts";
import { qlogStream } from "../../../core/api/tcp/qlog.ts";
import type { Clock } from "../../../core/api/environment.ts";
import type { LoggedConnection, OpenConnection, Stack } from "../../../core/api/types.ts";
import type { EventLogSource, NextEventLogSource, OpenedStream } from "./stream_source.ts";

/** The event log of a connection as a qlog file. */
export function streamEventLog(
  connection: OpenConnection,
  { format, maxEvents }: EventLogSource,
  clock: Pick<Clock, "now">,
): OpenedStream {
  const log = connection.eventLog({ maxEvents });
  const { localAddr, remoteAddr } = connection;
  return qlogOf({ log, localAddr, remoteAddr }, format, clock);
}

/** The event log of the next connection that a peer opens; the file begins when its SYN has arrived. */
export function streamNextEventLog(
  stack: Pick<Stack, "nextEventLog">,
  { format, maxEvents, port, remote }: NextEventLogSource,
  clock: Pick<Clock, "now">,
): OpenedStream {
  const ending = new AbortController();
  const options = {
    maxEvents,
    signal: ending.signal,
    ...port !== undefined && { port },
    ...remote !== undefined && { remote },
  };
  const reading = stack.nextEventLog(options)
    .then((connection) => qlogOf(connection, format, clock).getReader());
  // The reader of the stream gets the error, if there is a reader.
  reading.catch(() => {});
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      const { done, value } = await (await reading).read();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    async cancel() {
      ending.abort();
      await (await reading.catch(() => undefined))?.cancel();
    },
  }, { highWaterMark: 0 });
}

function qlogOf(
  { log, localAddr, remoteAddr }: LoggedConnection,
  format: EventLogSource["format"],
  clock: Pick<Clock, "now">,
): OpenedStream {
  return qlogStream(log, {
    format,
    title: `${formatHostPort(localAddr)} ${formatHostPort(remoteAddr)}`,
    clockStarted: new Date(Date.now() - clock.now()),
  });
}
