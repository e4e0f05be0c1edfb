/**
 * Addresses with a port, as text.
 *
 * @module
 */

/** A host and a port. */
export interface HostPort {
  /** An address or a name; IPv6 without brackets. */
  hostname: string;
  /** 0 to 65535. */
  port: number;
}

/**
 * Parses `"10.0.0.2:80"`, `"[fd00::2]:80"` or `"name:80"` (RFC 3986 3.2); `undefined` for anything else. Does not
 * check whether the host exists.
 */
export function parseHostPort(text: string): HostPort | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+(?:%[\w.]+)?)\]|([^\s:/[\]]+)):(\d{1,5})$/.exec(text);
  const hostname = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  return hostname && port <= 65535 ? { hostname, port } : undefined;
}

/** `"10.0.0.2:80"` or `"[fd00::2]:80"`. */
export function formatHostPort({ hostname, port }: HostPort): string {
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}
