/**
 * The protocols that `tls` offers if its options have no `alpn`.
 *
 * @module
 */
import type { PluginSetting } from "./listen_setting.ts";

/**
 * Adds `alpn` to a `tls` that `http2` follows: without ALPN, clients use HTTP/1.1 (RFC 9113 3.2). `http/1.1`
 * is offered as well if a plugin follows `http2`.
 */
export function offerHttp2(chain: readonly PluginSetting[]): PluginSetting[] {
  const names = chain.map(({ plugin }) => plugin.split(":")[0]);
  const http2 = names.indexOf("http2");
  const alpn = http2 < chain.length - 1 ? ["h2", "http/1.1"] : ["h2"];
  return chain.map((each, place) =>
    names[place] === "tls" && place < http2 ? { ...each, options: { alpn, ...each.options } } : each
  );
}
