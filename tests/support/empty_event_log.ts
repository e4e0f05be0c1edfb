import type { TcpEventLog } from "../../core/api/types.ts";

/** The event log of a connection without TCP: it has no events. */
export function emptyEventLog(): TcpEventLog {
  const close = () => {};
  return {
    take: () => [],
    dropped: 0,
    close,
    async *[Symbol.asyncIterator]() {},
    [Symbol.dispose]: close,
  };
}
