/**
 * Converts TypeScript to JavaScript with the runtime's transpiler.
 *
 * @module
 */
import * as nodeModule from "node:module";
import { runtimeName } from "./runtime.ts";

declare const Bun: {
  readonly Transpiler: new (options: Readonly<Record<string, unknown>>) => {
    transformSync(code: string): string;
  };
};

/** Removes the types of a module, whose imports stay as they are. */
export function stripTypes(code: string): string {
  if (runtimeName() === "bun") {
    const options = { loader: "ts", target: "browser", trimUnusedImports: false };
    return new Bun.Transpiler(options).transformSync(code);
  }
  const { stripTypeScriptTypes } = nodeModule as unknown as {
    stripTypeScriptTypes(code: string): string;
  };
  return stripTypeScriptTypes(code);
}
