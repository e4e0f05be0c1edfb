/**
 * What a client waits for before it sends the body of its request.
 *
 * @module
 */
import { HttpRefusal } from "./refusal.ts";
import type { RequestHead } from "./request_head.ts";

/**
 * True where the client waits for 100 (Continue). RFC 9110 10.1.1: HTTP/1.0 knows no expectations, and
 * there is no other than this one.
 */
export function expectsContinue({ http11, known: { expect } }: RequestHead): boolean | HttpRefusal {
  if (expect === undefined || !http11) return false;
  if (expect.toLowerCase() === "100-continue") return true;
  return new HttpRefusal(417, "the only expectation that can be met is 100-continue");
}
