/**
 * Formats of processor sets in Linux.
 *
 * @module
 */

/** The processors that a process may run on, from the text of `/proc/self/status`. */
export function allowedProcessors(status: string): number[] {
  return parseList(/^Cpus_allowed_list:\s*(\S+)/m.exec(status)?.[1] ?? "");
}

/** `0-2,5` */
function parseList(text: string): number[] {
  const processors: number[] = [];
  if (text === "") return processors;
  for (const range of text.split(",")) {
    const [first = NaN, last = first] = range.split("-").map(Number);
    for (let one = first; one <= last; one++) processors.push(one);
  }
  return processors;
}

/** Formats a bit mask: hexadecimal 32-bit words, the highest first. */
export function formatMask(processors: readonly number[]): string {
  const words: number[] = [0];
  for (const processor of processors) {
    const word = processor >>> 5;
    while (words.length <= word) words.push(0);
    words[word]! |= 1 << (processor & 31);
  }
  return words.reverse().map((word) => (word >>> 0).toString(16).padStart(8, "0")).join(",");
}
