/**
 * Header fields of segments, as event logs write them.
 *
 * @module
 */
import { FLAG, type Segment } from "../../wire/tcp.ts";
import type { SegmentHeader, SegmentOptions, TcpFlagName } from "./events.ts";

const FLAG_NAMES = Object.entries(FLAG) as [TcpFlagName, number][];
const ECN_NAMES = [undefined, "ECT(1)", "ECT(0)", "CE"] as const;

/**
 * The header of a segment. `shift` scales its window field, except on a SYN (RFC 7323 2.2).
 */
export function segmentHeader(segment: Segment, shift: number): SegmentHeader {
  const ecn = ECN_NAMES[segment.ecn];
  const options = optionsOf(segment);
  return {
    seq: segment.seq >>> 0,
    ...segment.has(FLAG.ACK) && { ack: segment.ack >>> 0 },
    flags: FLAG_NAMES.filter(([, bit]) => segment.has(bit)).map(([name]) => name),
    window: segment.has(FLAG.SYN) ? segment.window : segment.window * 2 ** shift,
    length: segment.textLength,
    ...segment.wireSegments > 1 && { segments: segment.wireSegments },
    ...ecn !== undefined && { ecn },
    ...options !== undefined && { options },
  };
}

function optionsOf(segment: Segment): SegmentOptions | undefined {
  const options: SegmentOptions = {
    ...segment.mss > 0 && { mss: segment.mss },
    ...segment.windowScale >= 0 && { window_scale: segment.windowScale },
    ...segment.sackPermitted && { sack_permitted: true },
    ...segment.hasTimestamps && {
      timestamps: { value: segment.tsVal >>> 0, echo_reply: segment.tsEcr >>> 0 },
    },
    ...segment.sackCount > 0 && { sack: sackBlocks(segment) },
  };
  return Object.keys(options).length > 0 ? options : undefined;
}

function sackBlocks({ sackCount, sackStarts, sackEnds }: Segment): [number, number][] {
  return Array.from(
    { length: sackCount },
    (_, i) => [sackStarts[i]! >>> 0, sackEnds[i]! >>> 0],
  );
}
