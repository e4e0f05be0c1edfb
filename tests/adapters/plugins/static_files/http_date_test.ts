import { describe, expect, test } from "bun:test";
import { parseHttpDate } from "../../../../adapters/plugins/static_files/http_date.ts";

const NOW = Date.UTC(2026, 10, 30);

describe("parseHttpDate", () => {
  // The examples of the RFC: one time in three formats.
  test.each([
    "Sun, 06 Nov 1994 08:49:37 GMT",
    "Sunday, 06-Nov-94 08:49:37 GMT",
    "Sun Nov  6 08:49:37 1994",
  ])("reads %s (RFC 9110 5.6.7)", (text) => {
    expect(parseHttpDate(text, NOW)).toBe(784_111_777);
  });

  // asctime has no time zone and means GMT, regardless of the server's zone.
  test("reads asctime as GMT (RFC 9110 5.6.7)", () => {
    expect(parseHttpDate("Sat Feb 29 23:59:60 2020", NOW)).toBe(Date.UTC(2020, 2, 1) / 1000);
  });

  // Two-digit years more than 50 years in the future belong to the previous century.
  test("interprets two-digit years (RFC 9110 5.6.7)", () => {
    expect(parseHttpDate("Friday, 01-Jan-76 00:00:00 GMT", NOW)).toBe(Date.UTC(2076, 0, 1) / 1000);
    expect(parseHttpDate("Friday, 01-Jan-77 00:00:00 GMT", NOW)).toBe(Date.UTC(1977, 0, 1) / 1000);
  });

  // Formats that Date.parse may accept.
  test.each([
    "",
    "2030",
    "1 Jan 2030",
    "2030-01-01T00:00:00Z",
    "Sun, 06 Nov 1994 08:49:37",
    "Sun, 06 Nov 1994 08:49:37 UTC",
    "Sun, 06 Nov 1994 08:49:37 +0000",
    "Sun, 6 Nov 1994 08:49:37 GMT",
    "sun, 06 nov 1994 08:49:37 gmt",
    "Sun, 30 Feb 1994 08:49:37 GMT",
    "Sun, 06 Nov 1994 24:00:00 GMT",
    "Sun, 06 Nov 1994 08:60:00 GMT",
    "Sun, 00 Nov 1994 08:00:00 GMT",
    "Sun, 06-Nov-94 08:49:37 GMT",
    "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
    " Sun, 06 Nov 1994 08:49:37 GMT",
  ])("does not take %j for a date", (text) => {
    expect(parseHttpDate(text, NOW)).toBeUndefined();
  });
});
