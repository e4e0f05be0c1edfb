/**
 * The setting `peers`: the other instances of the service.
 *
 * @module
 */
import { resolve } from "node:path";
import { z } from "zod";
import { formatHostPort, type HostPort, parseHostPort } from "../../../core/api/host_port.ts";
import { wholeNumber } from "../../../core/api/numbers.ts";
import { MAX_INSTANCES } from "../../../core/stack/peers/instance_mark.ts";
import { IpAddress } from "../../../core/wire/address.ts";
import type { JsonSchemaNotes, Origin } from "./setting.ts";

/** Which instance this is, and where the others are. */
export interface PeersSetting {
  /** The number of this instance. */
  readonly self: number;
  /** The file with the secret that all instances share. */
  readonly secretFile: string;
  /** The address and UDP port of the host that receives messages of the others. */
  readonly listen: HostPort;
  /** The addresses of the instances by number, or the name of an SRV record with all of them. */
  readonly members: Readonly<Record<string, HostPort>> | string;
}

const SRV = /^srv:([\w.-]+)$/;

const endpoint = z.string().transform((text, c): HostPort => {
  const parsed = parseHostPort(text);
  if (parsed !== undefined && parsed.port > 0) return parsed;
  c.addIssue(`expected HOST:PORT such as 192.0.2.11:7946, got ${text}`);
  return z.NEVER;
});

const membersByNumber = z.record(z.string(), endpoint).check(({ value, issues }) => {
  for (const number of Object.keys(value)) {
    if (/^(0|[1-9]\d?)$/.test(number) && Number(number) < MAX_INSTANCES) continue;
    issues.push({
      code: "custom",
      input: value,
      path: [number],
      message: `expected a number from 0 to ${MAX_INSTANCES - 1} as the key`,
    });
  }
  const places = Object.values(value).map(formatHostPort);
  const twice = places.find((place, i) => places.indexOf(place) < i);
  if (twice === undefined) return;
  issues.push({ code: "custom", input: value, message: `has two instances at ${twice}` });
});

const membersBySrv = z.string().regex(SRV, {
  error: ({ input }) => `expected srv:NAME such as srv:_peers._udp.berth.example, got ${input}`,
}).transform((text) => SRV.exec(text)![1]!);

/** Chooses the form by its type, so that messages are about that form only. */
const membersSchema = z.unknown().transform((value, c): PeersSetting["members"] => {
  const schema = typeof value === "string" ? membersBySrv : membersByNumber;
  const { success, data, error } = schema.safeParse(value);
  if (success) return data;
  for (const { path, message } of error.issues) {
    c.addIssue({ code: "custom", path: [...path], message });
  }
  return z.NEVER;
}).meta({ shape: membersByNumber, acceptsString: true } satisfies JsonSchemaNotes);

/** `{ "self": 0, "secretFile": "peers.secret", "members": { "0": "192.0.2.10:7946", … } }`. */
export const peersSchema: z.ZodType<PeersSetting, unknown> = z.strictObject({
  self: wholeNumber(0, MAX_INSTANCES - 1),
  secretFile: z.string().min(1),
  listen: endpoint.optional(),
  members: membersSchema,
}).transform(({ self, secretFile, listen, members }, c): PeersSetting => {
  const own = typeof members === "string" ? undefined : members[self];
  const fault = (path: string, message: string) => {
    c.addIssue({ code: "custom", path: [path], message });
    return z.NEVER;
  };
  if (typeof members !== "string" && own === undefined) {
    return fault("members", `has no instance ${self}, the number of this one in "self"`);
  }
  const local = listen ?? own;
  if (local === undefined || IpAddress.parse(local.hostname) === undefined) {
    return fault(
      "listen",
      'expected an IP address of this machine with a port, such as "192.0.2.10:7946"',
    );
  }
  return { self, secretFile, listen: local, members };
}) as never;

/** The setting with a path relative to its origin's folder. */
export function locatePeers(peers: PeersSetting, { folder }: Origin): PeersSetting {
  return { ...peers, secretFile: resolve(folder, peers.secretFile) };
}
