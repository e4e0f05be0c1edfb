/**
 * A plugin that answers each datagram with the process ID and the number of datagrams of this flow.
 *
 * @module
 */
import process from "node:process";
import type { Plugin } from "../../../core/api/types.ts";

/** `4711 3` */
const plugin: Plugin = {
  name: "process",
  async flow({ flow }) {
    let count = 0;
    for await (const _datagram of flow) {
      await flow.send(new TextEncoder().encode(`${process.pid} ${++count}`));
    }
  },
};

export default plugin;
