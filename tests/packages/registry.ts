/**
 * An npm registry and a JSR registry on loopback. They have only the packages of berth, as a user would download them
 * after the next release, and redirect requests for other packages to npm's registry.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

interface NpmPackage {
  readonly tarball: Buffer;
  readonly manifest: { readonly name: string; readonly version: string };
}

/** Serves npm tarballs, and what `deno publish` uploads to it. */
export class Registry implements AsyncDisposable {
  /** Without a path, and with a slash at the end. */
  readonly url: string;
  readonly #server: ReturnType<typeof createServer>;
  readonly #packages: readonly NpmPackage[];
  readonly #elsewhere: string;
  /** The uploaded modules. */
  readonly #folder = mkdtempSync(join(tmpdir(), "berth-registry-"));

  private constructor(server: ReturnType<typeof createServer>, tarballs: readonly string[]) {
    this.#server = server;
    this.#packages = tarballs.map(npmPackage);
    this.#elsewhere = execFileSync("npm", ["config", "get", "registry"], { encoding: "utf8" })
      .trim();
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    server.on("request", (request, response) => void this.#answer(request, response));
  }

  /** Listens on a free port. The first tarball is of the package that is on JSR too. */
  static async open(...tarballs: readonly string[]): Promise<Registry> {
    const server = createServer();
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    return new Registry(server, tarballs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = decodeURIComponent(new URL(request.url ?? "/", this.url).pathname);
    const body = request.method === "POST" && path.startsWith("/api/")
      ? this.#takeUpload(await bytesOf(request))
      : this.#find(path);
    response.statusCode = body === undefined ? 404 : 200;
    // Scoped packages, and modules of JSR, are either here or nowhere.
    if (
      request.method === "GET" && body === undefined && !path.startsWith("/@berth/") &&
      !path.startsWith("/api/")
    ) {
      response.statusCode = 302;
      response.setHeader("Location", new URL((request.url ?? "/").slice(1), this.#elsewhere).href);
    }
    const isJson = typeof body === "object" && !(body instanceof Uint8Array);
    response.setHeader("Content-Type", isJson ? "application/json" : typeOf(path));
    response.end(isJson ? JSON.stringify(body) : body ?? "{}");
  }

  /** What `deno publish` uploads: its specifiers have been rewritten for JSR. */
  #takeUpload(tarball: Buffer): object {
    const file = join(this.#folder, "upload.tgz");
    writeFileSync(file, tarball);
    execFileSync("tar", ["xzf", file, "-C", this.#folder]);
    rmSync(file);
    return { id: "1", status: "success", error: null };
  }

  #find(path: string): object | Uint8Array | undefined {
    for (const one of this.#packages) {
      if (path === `/${one.manifest.name}`) return this.#npmDocument(one);
      if (path === `/${one.manifest.name}/-/package.tgz`) return one.tarball;
    }
    const { name, version } = this.#packages[0]!.manifest;
    switch (path) {
      case `/${name}/meta.json`:
        return { scope: "berth", name: "berth", latest: version, versions: { [version]: {} } };
      case `/${name}/${version}_meta.json`:
        return this.#jsrDocument();
      case "/api/scopes/berth/packages/berth":
        return {};
    }
    const file = join(this.#folder, path.slice(`/${name}/${version}/`.length));
    const isModule = path.startsWith(`/${name}/${version}/`) && !path.includes("..") &&
      statSync(file, { throwIfNoEntry: false })?.isFile();
    return isModule ? readFileSync(file) : undefined;
  }

  #npmDocument({ tarball, manifest }: NpmPackage): object {
    const { name, version } = manifest;
    const digest = createHash("sha512").update(tarball).digest("base64");
    const dist = { tarball: `${this.url}${name}/-/package.tgz`, integrity: `sha512-${digest}` };
    return {
      name,
      "dist-tags": { latest: version },
      versions: { [version]: { ...manifest, dist } },
      // An old date, because package managers refuse packages that have just been published.
      time: { [version]: "2026-01-01T00:00:00.000Z" },
    };
  }

  #jsrDocument(): object {
    const files = readdirSync(this.#folder, { recursive: true, encoding: "utf8" })
      .filter((path) => statSync(join(this.#folder, path)).isFile());
    const entries = files.map((path) => {
      const content = readFileSync(join(this.#folder, path));
      const digest = createHash("sha256").update(content).digest("hex");
      return [`/${path}`, { size: content.length, checksum: `sha256-${digest}` }];
    });
    const { exports } = JSON.parse(readFileSync(join(this.#folder, "deno.json"), "utf8"));
    return { manifest: Object.fromEntries(entries), exports };
  }
}

function npmPackage(path: string): NpmPackage {
  const manifest = execFileSync("tar", ["xzOf", path, "package/package.json"], {
    encoding: "utf8",
  });
  return { tarball: readFileSync(path), manifest: JSON.parse(manifest) };
}

async function bytesOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts);
}

function typeOf(path: string): string {
  if (path.endsWith(".ts")) return "text/typescript";
  return path.endsWith(".json") ? "application/json" : "application/octet-stream";
}
