/**
 * The address of the admin API.
 *
 * @module
 */
import { z } from "zod";
import { type HostPort, parseHostPort } from "../../../core/api/host_port.ts";
import { type JsonSchemaNotes, type Origin, pathFrom } from "./setting.ts";

/** Where the admin API is served, and the token that it requires. */
export interface AdminSetting {
  /** A Unix socket that only the owner can use, or a TCP port of the host, for which a token is required. */
  readonly listen: { readonly path: string } | HostPort;
  /** The token that a request has to present. */
  readonly token?: string | undefined;
  /** Names that the field `Host` of a request may have, in lower case, besides addresses and `localhost`. */
  readonly hosts?: readonly string[] | undefined;
}

const EXPECTED = `expected "unix:PATH" or { "listen": "HOST:PORT", "token": "..." }`;
const MIN_TOKEN_LENGTH = 16;

const HOST_EXPECTED = "expected a name without a port, such as admin.example.com";

const hostSchema = z.string(HOST_EXPECTED).regex(/^[\w-]+(\.[\w-]+)*$/, HOST_EXPECTED)
  .transform((name) => name.toLowerCase());

const listenSchema = z.string(EXPECTED).transform((text, c): AdminSetting["listen"] => {
  const [, path] = /^unix:(.+)$/.exec(text) ?? [];
  const address = path === undefined ? parseHostPort(text) : { path };
  if (address !== undefined) return address;
  c.addIssue(`${EXPECTED}, got ${text}`);
  return z.NEVER;
});

/** `"unix:/run/berth.sock"`, or `{ "listen": "127.0.0.1:9000", "token": "..." }`. */
export const adminSchema: z.ZodType<AdminSetting, unknown> = z.preprocess(
  (value) => typeof value === "string" ? { listen: value } : value,
  z.strictObject({
    listen: listenSchema,
    token: z.string().min(MIN_TOKEN_LENGTH, `expected at least ${MIN_TOKEN_LENGTH} characters`)
      .optional(),
    hosts: z.array(hostSchema).optional(),
  }, { error: ({ code }) => code === "invalid_type" ? EXPECTED : undefined }),
).check(({ value, issues }) => {
  if ("path" in value.listen || value.token !== undefined) return;
  issues.push({
    code: "custom",
    input: value,
    message: "on a TCP port anyone on the host could use it: write in the configuration file " +
      '{ "listen": "HOST:PORT", "token": "${BERTH_ADMIN_TOKEN}" }',
  });
}).meta({ acceptsString: true } satisfies JsonSchemaNotes);

/** The setting with a path relative to its origin's folder. */
export function locateAdmin({ listen, ...rest }: AdminSetting, { folder }: Origin): AdminSetting {
  return {
    ...rest,
    listen: "path" in listen ? { path: pathFrom(folder, listen.path) } : listen,
  };
}
