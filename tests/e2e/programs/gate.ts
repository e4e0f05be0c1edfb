/**
 * A plugin that turns everybody away: refuses connections to even ports, ignores those to odd ones.
 *
 * @module
 */
import type { Plugin } from "../../../core/api/types.ts";

const gate: Plugin = {
  name: "gate",
  onSyn: ({ local }) => local.port % 2 === 0 ? "refuse" : "ignore",
};

export default gate;
