/**
 * Prints whether this program calls the kernel's sockets itself.
 *
 * @module
 */
import { nativeSockets } from "../../../../adapters/host/native/sockets.ts";

console.log(nativeSockets() === undefined ? "node:net" : "foreign functions");
