/**
 * Objects that pass for those of a platform's class and make the real one when it is needed.
 *
 * @module
 */

/**
 * Makes instances of `standIn` pass for those of `platform`, of which `sample` is one: they inherit
 * from it, and their private state, where that is properties with symbols for names, is the state of
 * what `realOf` returns. Methods that `standIn` does not have are the platform's own, and work on the
 * real object then.
 *
 * Deno keeps private state so; Bun does not. Whether it worked has to be tried.
 */
export function standInFor<T extends object>(
  standIn: { prototype: object },
  platform: { prototype: T },
  sample: T,
  realOf: (instance: object) => T,
): void {
  Object.setPrototypeOf(standIn.prototype, platform.prototype);
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
  Object.defineProperties(standIn.prototype, accessors);
}
