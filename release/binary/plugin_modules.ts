/**
 * The modules that plugins on disk may import from the single program, which has no files for its modules.
 *
 * @module
 */
import * as hono from "hono";
import * as basicAuth from "hono/basic-auth";
import * as bearerAuth from "hono/bearer-auth";
import * as bodyLimit from "hono/body-limit";
import * as conninfo from "hono/conninfo";
import * as cookie from "hono/cookie";
import * as cors from "hono/cors";
import * as etag from "hono/etag";
import * as factory from "hono/factory";
import * as html from "hono/html";
import * as httpException from "hono/http-exception";
import * as logger from "hono/logger";
import * as secureHeaders from "hono/secure-headers";
import * as streaming from "hono/streaming";
import * as validator from "hono/validator";
import * as ws from "hono/ws";
import * as zod from "zod";
import * as zodMini from "zod/mini";
import * as zod4 from "zod/v4";
import { offerModules } from "../../adapters/service/listen/host_packages.ts";
import * as host from "../../exports/host.ts";
import * as links from "../../exports/links.ts";
import * as middleware from "../../exports/middleware.ts";
import * as plugins from "../../exports/plugins.ts";
import * as telemetry from "../../exports/telemetry.ts";
import * as testing from "../../exports/testing.ts";
import * as berth from "../../mod.ts";

offerModules({
  "@berth/berth": berth,
  "@berth/berth/host": host,
  "@berth/berth/links": links,
  "@berth/berth/middleware": middleware,
  "@berth/berth/plugins": plugins,
  "@berth/berth/telemetry": telemetry,
  "@berth/berth/testing": testing,
  "hono": hono,
  "hono/basic-auth": basicAuth,
  "hono/bearer-auth": bearerAuth,
  "hono/body-limit": bodyLimit,
  "hono/conninfo": conninfo,
  "hono/cookie": cookie,
  "hono/cors": cors,
  "hono/etag": etag,
  "hono/factory": factory,
  "hono/html": html,
  "hono/http-exception": httpException,
  "hono/logger": logger,
  "hono/secure-headers": secureHeaders,
  "hono/streaming": streaming,
  "hono/validator": validator,
  "hono/ws": ws,
  "zod": zod,
  "zod/mini": zodMini,
  "zod/v4": zod4,
});
