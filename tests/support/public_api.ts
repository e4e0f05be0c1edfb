/**
 * Everything that the package exports, for tests that go through all of it.
 *
 * @module
 */
export * from "../../exports/host.ts";
export * from "../../exports/links.ts";
export * from "../../exports/middleware.ts";
export * from "../../exports/plugins.ts";
export * from "../../exports/testing.ts";
export * from "../../mod.ts";
