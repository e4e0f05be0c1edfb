/**
 * Makes HTTP servers faster with what Deno and Bun offer beyond the Fetch specification. Importing this module
 * registers it; without it everything works, but more slowly.
 *
 * Each part is tested when the module is loaded, and left out if the runtime does not behave as expected.
 * `docs/architecture.md` lists what each part assumes.
 *
 * @module
 */
import {
  type FetchPlatform,
  STANDARD_PLATFORM,
  useFetchPlatform,
} from "../../../plugins/shared/http/fetch_platform.ts";
import { takeDenoBody } from "./deno_response_body.ts";
import { LAZY_REQUEST_WORKS, LazyRequest } from "./lazy_request.ts";
import { HAS_LAZY_SIGNAL, LazySignalRequest } from "./lazy_signal_request.ts";
import { rememberedFile, takeRememberedBody } from "./remembered_response.ts";

export { rememberResponseText } from "./remembered_response.ts";

/** The fastest way for each task that works on this runtime. */
export const runtimeFetchPlatform: FetchPlatform = {
  createRequest: HAS_LAZY_SIGNAL ? LazySignalRequest.of : STANDARD_PLATFORM.createRequest,
  createLazyRequest: LAZY_REQUEST_WORKS
    ? (head, url) => new LazyRequest(head, url) as unknown as Request
    : undefined,
  abortRequest(request, reason) {
    if (request instanceof LazySignalRequest) LazySignalRequest.abort(request, reason);
    else if (LazyRequest.is(request)) LazyRequest.abort(request, reason);
    else STANDARD_PLATFORM.abortRequest(request, reason);
  },
  takeWholeBody: takeDenoBody ?? takeRememberedBody,
  fileOf: takeDenoBody === undefined ? rememberedFile : undefined,
};

useFetchPlatform(runtimeFetchPlatform);
