/**
 * The folders of the source tree, their contents and allowed imports. `tests/rules_test.ts` checks
 * the imports and the table in `CONTRIBUTING.md`.
 *
 * @module
 */

/** A folder of the source tree. */
export interface Layer {
  readonly folder: string;
  readonly holds: string;
  /** Folders, files and packages that it may import besides itself; `undefined` for everything. */
  readonly imports: readonly string[] | undefined;
}

/** From the bottom up; a file belongs to the first layer that contains it. */
export const LAYERS: readonly Layer[] = [
  {
    folder: "core/wire",
    holds: "packet formats, addresses, checksums, sequence numbers",
    imports: [],
  },
  { folder: "core/buffers", holds: "rings, ranges, queues", imports: ["core/wire"] },
  {
    folder: "core/tcp",
    holds: "one TCP connection, synchronous and pure",
    imports: ["core/buffers", "core/wire"],
  },
  {
    folder: "core/udp",
    holds: "one UDP socket or flow, synchronous and pure",
    imports: ["core/buffers", "core/wire"],
  },
  {
    folder: "core/stack",
    holds: "IP, ICMP and many connections on one link, synchronous and pure",
    imports: ["core/tcp", "core/udp", "core/buffers", "core/wire"],
  },
  {
    folder: "core/api",
    holds: "sockets, streams and the driver, using Web APIs only",
    imports: ["core/stack", "core/tcp", "core/udp", "core/buffers", "core/wire", "hono", "zod"],
  },
  {
    folder: "plugins/shared",
    holds: "code that several plugins use",
    imports: [
      "core/api",
      "core/wire",
      "core/buffers/sources.ts",
      "core/stack/token_bucket.ts",
      "zod",
    ],
  },
  {
    folder: "plugins",
    holds: "one protocol each; no plugin imports another",
    imports: [
      "core/api",
      "plugins/shared",
      "core/wire/bytes.ts",
      "core/stack/token_bucket.ts",
      "hono",
      "zod",
      "@dnsquery/dns-packet",
    ],
  },
  {
    folder: "adapters",
    holds: "what differs between Deno and Bun: links, the host's kernel, plugins, the service",
    imports: undefined,
  },
  {
    folder: "exports",
    holds: "the entry points of the package besides `mod.ts` and `main.ts`",
    imports: undefined,
  },
  { folder: "tests", holds: "mirrors the tree above, file for file", imports: undefined },
];

/** The layer that a file belongs to. */
export function layerOf(path: string): Layer | undefined {
  return LAYERS.find(({ folder }) => path === folder || path.startsWith(`${folder}/`));
}

/** The table of `CONTRIBUTING.md`, without the padding of its columns. */
export function formatLayers(): string[] {
  const code = (text: string) => `\`${text}\``;
  return LAYERS.map(({ folder, holds, imports }) => {
    const allowed = imports === undefined
      ? "everything"
      : imports.length === 0
      ? "nothing"
      : imports.map(code).join(", ");
    return `| ${code(folder)} | ${holds} | ${allowed} |`;
  });
}
