/**
 * Checks a number of an option.
 *
 * @throws {RangeError} It is no integer in the range.
 */
export function requireInteger(name: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new RangeError(`${name} must be an integer from ${least} to ${most}, not ${value}`);
}
