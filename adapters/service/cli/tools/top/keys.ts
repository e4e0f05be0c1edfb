/** A key: a character, or the name of a key that sends several characters. */
export type Key = string;

const NAMES: Readonly<Record<string, Key>> = {
  "\x1b[A": "up",
  "\x1b[B": "down",
  "\x1b[C": "right",
  "\x1b[D": "left",
  "\x1bOA": "up",
  "\x1bOB": "down",
  "\x1bOC": "right",
  "\x1bOD": "left",
  "\x1b[5~": "page up",
  "\x1b[6~": "page down",
  "\x1b[H": "home",
  "\x1b[1~": "home",
  "\x1bOH": "home",
  "\x1b": "escape",
  "\x7f": "backspace",
  "\b": "backspace",
  "\r": "enter",
  "\n": "enter",
  "\x03": "interrupt",
};

/** The keys in the input of a terminal; sequences without a name are left out. */
export function keysOf(text: string): Key[] {
  // deno-lint-ignore no-control-regex -- terminals send them
  const sequences = text.match(/\x1b(?:\[[\d;]*[A-Za-z~]|O[A-Z])?|[^\x1b]/gu) ?? [];
  return sequences.flatMap((sequence) => {
    const name = NAMES[sequence];
    if (name !== undefined) return [name];
    return sequence.startsWith("\x1b") || sequence < " " ? [] : [sequence];
  });
}
