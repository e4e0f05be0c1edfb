import { describe, expect } from "bun:test";
import { testRequiring } from "../support/requirements.ts";
import { NEEDS, V4, V6, withService } from "./service.ts";

describe("ping with fragments", () => {
  for (const address of [V4, V6]) {
    // The kernel fragments its requests, and reassembles the fragmented replies of the stack.
    testRequiring(
      [...NEEDS, "program:ping"],
      `is answered by ${address} (RFC 791 3.2, RFC 8200 4.5)`,
      () =>
        withService(async (namespace) => {
          for (const size of ["1500", "3000", "65000"]) {
            const ping = ["ping", "-n", "-c", "5", "-i", "0.05", "-W", "10", "-s", size, address];
            expect(await namespace.run(ping)).toContain("5 packets transmitted, 5 received, 0%");
          }
        }),
    );
  }
});
