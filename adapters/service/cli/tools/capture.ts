/**
 * `berth capture`: the packets of a running service as a pcapng file.
 *
 * @module
 */
import { createWriteStream } from "node:fs";
import { concatenate } from "../../../../core/wire/bytes.ts";
import { blockLength, readBlock } from "../../../links/decorators/pcapng/blocks.ts";
import { compileFilter } from "../../../links/decorators/pcapng/packet_filter.ts";
import { messageLine, UsageError } from "../../errors.ts";
import { writeToStderr } from "../../log/logger.ts";
import { type Output, outputTo } from "./output.ts";
import { type Tool, type ToolArguments, wholeNumber } from "./tool.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** The command. */
export const CAPTURE: Tool = {
  help: "record packets: [FILTER] [-w FILE | -], with a filter like that of tcpdump",
  usage: "[FILTER] [-w FILE | -] [-c COUNT]",
  flags: {
    write: {
      short: "w",
      value: "FILE",
      isFile: true,
      help: "write pcapng to a file, or to stdout with -",
    },
    count: { short: "c", value: "COUNT", help: "end after this many packets" },
  },
  check({ flags, words }) {
    countOf(flags);
    try {
      compileFilter(words.join(" "));
    } catch (error) {
      throw new UsageError(`capture: ${messageLine(error)}`);
    }
  },
  async run({ flags, words, service, out, signal }) {
    const { write = "-" } = flags;
    if (write === "-" && out.isTerminal) {
      throw new UsageError(
        "capture: standard output is a terminal: use -w FILE, or pipe to wireshark -k -i -",
      );
    }
    const id = crypto.randomUUID();
    const query = new URLSearchParams({ id, ...words.length > 0 && { filter: words.join(" ") } });
    const stream = await service.open(`/capture?${query}`);
    const file = write === "-" ? out : outputTo(createWriteStream(String(write)));
    const failed = (error: unknown) => new Error(`--write ${write}: ${messageLine(error)}`);
    // The service sends the packets that are queued and the number of missing packets, and then ends the stream.
    const stop = () => void service.ask("DELETE", `/capture/${id}`).catch(() => stream.close());
    signal.addEventListener("abort", stop);
    try {
      const { packets, dropped } = await copy(stream, file, countOf(flags) ?? Infinity, stop)
        .catch((error) => {
          throw failed(error);
        });
      if (file !== out) await file.close();
      writeToStderr(`${packets} packets captured, ${dropped} dropped`);
    } finally {
      signal.removeEventListener("abort", stop);
      stream.close();
    }
  },
};

function countOf(flags: ToolArguments["flags"]): number | undefined {
  return wholeNumber("--count", flags["count"], 1, 1e9);
}

/** Copies whole blocks only, so that the file is valid whenever the copy ends. */
async function copy(
  stream: AsyncIterable<Uint8Array>,
  file: Output,
  most: number,
  stop: () => void,
): Promise<{ packets: number; dropped: number }> {
  let packets = 0;
  const dropped = new Map<number, number>();
  let rest: Bytes = new Uint8Array(0);
  for await (const chunk of stream) {
    rest = concatenate([rest, chunk as Bytes]);
    const pieces: Bytes[] = [];
    let at = 0;
    for (;;) {
      const length = blockLength(rest.subarray(at));
      if (length === undefined || at + length > rest.length) break;
      const block = readBlock(rest.subarray(at, at + length));
      at += length;
      if (block.type === "statistics") dropped.set(block.interfaceId, block.dropped);
      if (block.type === "packet" && packets >= most) continue;
      if (block.type === "packet" && ++packets === most) stop();
      pieces.push(block.bytes);
    }
    rest = rest.slice(at);
    if (pieces.length > 0 && !await file.write(concatenate(pieces))) break;
  }
  return { packets, dropped: [...dropped.values()].reduce((sum, one) => sum + one, 0) };
}
