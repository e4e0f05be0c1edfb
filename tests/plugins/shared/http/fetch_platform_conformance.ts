/**
 * Tests that every {@link FetchPlatform} passes.
 *
 * @module
 */
import { afterAll, beforeAll, describe } from "bun:test";
import {
  type FetchPlatform,
  STANDARD_PLATFORM,
  useFetchPlatform,
} from "../../../../plugins/shared/http/fetch_platform.ts";
import { requestConformance } from "./request_conformance.ts";
import { responseBodyConformance } from "./response_body_conformance.ts";

/** Registers `platform` during the tests, and restores the previous one afterwards. */
export function fetchPlatformConformance(name: string, platform: FetchPlatform): void {
  describe(`HTTP on ${name}`, () => {
    let before = STANDARD_PLATFORM;
    beforeAll(() => void (before = useFetchPlatform(platform)));
    afterAll(() => void useFetchPlatform(before));
    requestConformance();
    responseBodyConformance();
  });
}
