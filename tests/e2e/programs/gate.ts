/**
 * A plugin that accepts no connections: it refuses those to even ports and ignores those to odd
 * ones.
 *
 * @module
 */
import type { Plugin } from "../../../core/api/types.ts";

const gate: Plugin = {
  name: "gate",
  onSyn: ({ local }) => local.port % 2 === 0 ? "refuse" : "ignore",
};

export default gate;
