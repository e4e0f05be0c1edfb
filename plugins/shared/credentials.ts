/**
 * User names and passwords of clients.
 *
 * @module
 */
import { z } from "zod";

/** Schema: passwords by user name, each 1 to 255 bytes (RFC 1929 2). */
export const credentialsSchema: z.ZodType<Readonly<Record<string, string>>> = z.record(
  fits("a name"),
  fits("a password"),
);

function fits(what: string): z.ZodString {
  return z.string().refine((text) => {
    const { length } = encoder.encode(text);
    return length >= 1 && length <= 255;
  }, `expected ${what} of 1 to 255 bytes`);
}

const encoder = new TextEncoder();

/**
 * Whether `password` is the password of `name`. Takes the same time for a wrong password and for an
 * unknown name as for the right one.
 */
export function areCredentials(
  users: Readonly<Record<string, string>>,
  name: string,
  password: string,
): boolean {
  const known = Object.hasOwn(users, name);
  // A password is at most 255 bytes long.
  const [expected, given] = [new Uint8Array(256), new Uint8Array(256)];
  const right = encoder.encodeInto(known ? users[name]! : "", expected);
  const shown = encoder.encodeInto(password, given);
  let difference = right.written ^ shown.written;
  for (let i = 0; i < 256; i++) difference |= expected[i]! ^ given[i]!;
  return known && difference === 0 && shown.read === password.length;
}
