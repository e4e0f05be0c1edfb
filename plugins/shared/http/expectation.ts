/**
 * The Expect field (RFC 9110 10.1.1).
 *
 * @module
 */
import { HttpRefusal } from "./refusal.ts";
import type { RequestHead } from "./request_head.ts";

/**
 * Whether the client waits for 100 (Continue), the only expectation that is defined. HTTP/1.0 has none
 * (RFC 9110 10.1.1).
 */
export function expectsContinue({ http11, known: { expect } }: RequestHead): boolean | HttpRefusal {
  if (expect === undefined || !http11) return false;
  if (expect.toLowerCase() === "100-continue") return true;
  return new HttpRefusal(417, "the only expectation that can be met is 100-continue");
}
