/**
 * Hides the secrets of a configuration that is shown.
 *
 * @module
 */

/** The text shown instead of a secret. */
export const HIDDEN = "(hidden)";

const SECRET_KEY = /pass|secret|token|credential|users|apikey|api_key/i;

/** A copy of a value in which everything that is or may be a secret is hidden. */
export function redact(value: unknown, key = ""): unknown {
  if (SECRET_KEY.test(key) && value !== undefined) return HIDDEN;
  if (typeof value === "string") return redactText(value);
  if (Array.isArray(value)) return value.map((each) => redact(each, key));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [name, redact(each, name)]),
  );
}

/** Private keys, and passwords in URLs. */
function redactText(text: string): string {
  if (text.includes("PRIVATE KEY")) return HIDDEN;
  return text.replace(/(\w:\/\/[^/@\s:]*):[^/@\s]*@/g, `$1:${HIDDEN}@`);
}
