/**
 * Objects that the platform accepts as instances of its own classes, and that create the real one on demand.
 *
 * @module
 */

/**
 * Makes instances of `impostor` pass for instances of `platform`: they inherit from it, and its private state,
 * the symbol properties of `sample`, is read from the real object that `realOf` returns. Methods that
 * `impostor` does not have are inherited and so work on the real object.
 *
 * Works on Deno, which keeps private state in symbol properties; not on Bun. Try the result before use.
 */
export function impersonate<T extends object>(
  impostor: { prototype: object },
  platform: { prototype: T },
  sample: T,
  realOf: (instance: object) => T,
): void {
  Object.setPrototypeOf(impostor.prototype, platform.prototype);
  const accessors: PropertyDescriptorMap = {
    constructor: { value: platform, configurable: true, writable: true },
  };
  for (const name of Object.getOwnPropertySymbols(sample)) {
    Reflect.set(accessors, name, {
      get(this: object): unknown {
        return Reflect.get(realOf(this), name);
      },
      set(this: object, value: unknown): void {
        Reflect.set(realOf(this), name, value);
      },
    });
  }
  Object.defineProperties(impostor.prototype, accessors);
}
