/**
 * Converts thrown values to text for logs. The text is bounded, and the conversion never throws.
 *
 * @module
 */

/** Maximum length of a stack trace with its causes, in characters. */
export const MAX_STACK_TEXT = 4096;
/** Maximum number of causes shown. */
const MAX_CAUSES = 8;

/** The message of an error, or the value as text. */
export function messageOf(error: unknown): string {
  return attempt(() => error instanceof Error ? String(error.message) : String(error));
}

/** `String(error)`: an error's name and message. */
export function textOf(error: unknown): string {
  return attempt(() => String(error));
}

/**
 * The stack trace of an error, which starts with its name and message, followed by those of its
 * causes and of the errors in an `AggregateError`; `undefined` for a value that is not an error.
 */
export function stackOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const seen = new Set<unknown>();
  const parts: string[] = [];
  let length = 0;
  const add = (one: unknown, before: string): void => {
    if (seen.has(one) || seen.size > MAX_CAUSES || length > MAX_STACK_TEXT) return;
    seen.add(one);
    const text = before + attempt(() => ownStackOf(one));
    parts.push(text);
    length += text.length;
    if (!(one instanceof Error)) return;
    const { cause, errors } = causesOf(one);
    for (const each of errors) add(each, "Holds: ");
    if (cause !== undefined) add(cause, "Caused by: ");
  };
  add(error, "");
  const text = parts.join("\n");
  return text.length > MAX_STACK_TEXT ? `${text.slice(0, MAX_STACK_TEXT - 1)}…` : text;
}

function ownStackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const stack = typeof error.stack === "string" ? error.stack : "";
  // A stack trace may lack the message, or have an earlier one.
  const head = `${error.name}: ${error.message}`;
  return stack.includes(error.message) ? stack || head : `${head}\n${stack}`;
}

function causesOf(error: Error): { cause: unknown; errors: readonly unknown[] } {
  try {
    const { cause, errors } = error as { cause?: unknown; errors?: unknown };
    return { cause, errors: Array.isArray(errors) ? errors.slice(0, MAX_CAUSES) : [] };
  } catch {
    return { cause: undefined, errors: [] };
  }
}

/** Getters and `toString` may throw, which must not hide the original failure. */
function attempt(text: () => string): string {
  try {
    return text();
  } catch {
    return "an error that cannot be converted to text";
  }
}
