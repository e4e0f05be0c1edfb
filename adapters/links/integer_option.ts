/**
 * Validates an integer option.
 *
 * @throws {RangeError} The value is not an integer in the range.
 */
export function requireInteger(name: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new RangeError(`${name} must be an integer from ${least} to ${most}, not ${value}`);
}
