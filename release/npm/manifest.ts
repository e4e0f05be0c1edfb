/**
 * The manifests of the npm packages, made from those of the checkout.
 *
 * @module
 */

/** The used part of `deno.json`. */
export interface DenoManifest {
  readonly name: string;
  readonly version: string;
  readonly exports: Readonly<Record<string, string>>;
}

/** The used part of the checkout's `package.json`. */
export interface CheckoutManifest {
  readonly description: string;
  readonly license: string;
  readonly dependencies: Readonly<Record<string, string>>;
}

/** `package.json` of the npm package: it names JavaScript instead of TypeScript, and has nothing for development. */
export function npmManifest(deno: DenoManifest, checkout: CheckoutManifest) {
  const { name, version } = deno;
  return {
    name,
    version,
    description: checkout.description,
    keywords: ["tcp", "ip", "network", "stack", "tun", "userspace", "deno", "bun"],
    license: checkout.license,
    type: "module",
    bin: { berth: "bin/berth.js" },
    exports: Object.fromEntries([
      ...Object.entries(deno.exports).map(([entry, module]) => [entry, entryPoint(module)]),
      ["./package.json", "./package.json"],
      ["./berth.schema.json", "./berth.schema.json"],
      ["./tcp-events.schema.json", "./tcp-events.schema.json"],
    ]),
    dependencies: checkout.dependencies,
    engines: { bun: ">=1.4", deno: ">=2.9", node: ">=24" },
    publishConfig: { access: "public" },
  };
}

/** `package.json` of `create-berth`, which `npm create berth` and `deno init --npm berth` run. */
export function createManifest({ name, version }: DenoManifest, checkout: CheckoutManifest) {
  return {
    name: "create-berth",
    version,
    description: "Writes a new project with berth: a plugin, an app or a network",
    keywords: ["create", "berth", "deno", "bun"],
    license: checkout.license,
    type: "module",
    bin: { "create-berth": "create.js" },
    // The templates are in `@berth/berth`.
    dependencies: { [name]: version },
    engines: { bun: ">=1.4", deno: ">=2.9" },
    publishConfig: { access: "public" },
  };
}

function entryPoint(module: string): { types: string; default: string } {
  const path = module.replace(/\.ts$/, "");
  return { types: `${path}.d.ts`, default: `${path}.js` };
}
