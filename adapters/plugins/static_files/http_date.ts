/**
 * The three forms of HTTP-date (RFC 9110 5.6.7), all of them in GMT.
 *
 * @module
 */

const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
const MONTH = `(${MONTHS.join("|")})`;
const TIME = "(\\d{2}):(\\d{2}):(\\d{2})";
const DAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)";
const LONG_DAY = "(?:Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)";

const IMF_FIXDATE = new RegExp(`^${DAY}, (\\d{2}) ${MONTH} (\\d{4}) ${TIME} GMT$`);
const RFC_850 = new RegExp(`^${LONG_DAY}, (\\d{2})-${MONTH}-(\\d{2}) ${TIME} GMT$`);
const ASCTIME = new RegExp(`^${DAY} ${MONTH} (\\d{2}| \\d) ${TIME} (\\d{4})$`);

/** Returns seconds since the Unix epoch, or `undefined` if `text` is not a date. `now` is in milliseconds. */
export function parseHttpDate(text: string, now: number = Date.now()): number | undefined {
  const imf = IMF_FIXDATE.exec(text);
  if (imf) {
    const [, day, month, year, hour, minute, second] = imf;
    return secondsOf(Number(year), month!, day!, hour!, minute!, second!);
  }
  const asctime = ASCTIME.exec(text);
  if (asctime) {
    const [, month, day, hour, minute, second, year] = asctime;
    return secondsOf(Number(year), month!, day!, hour!, minute!, second!);
  }
  const [, day, month, year, hour, minute, second] = RFC_850.exec(text) ?? [];
  if (year === undefined) return undefined;
  return secondsOf(fullYear(Number(year), now), month!, day!, hour!, minute!, second!);
}

/** Expands a two-digit year to the one that is at most 50 years ahead (RFC 9110 5.6.7). */
function fullYear(year: number, now: number): number {
  const latest = new Date(now).getUTCFullYear() + 50;
  return latest - (latest - year) % 100;
}

function secondsOf(
  year: number,
  month: string,
  ...[day, hour, minute, second]: [string, string, string, string]
): number | undefined {
  const at = [MONTHS.indexOf(month), Number(day), Number(hour), Number(minute)] as const;
  // A leap second counts as the first second of the next minute.
  const seconds = Number(second);
  if (seconds > 60 || at[2] > 23 || at[3] > 59) return undefined;
  const date = new Date(0);
  date.setUTCFullYear(year, at[0], at[1]);
  // setUTCFullYear() turns 30 February into a day of March.
  if (date.getUTCMonth() !== at[0] || date.getUTCDate() !== at[1]) return undefined;
  return date.getTime() / 1000 + at[2] * 3600 + at[3] * 60 + seconds;
}
