/**
 * The page's script: a TCP/IP stack in the browser, attached to one in the service.
 *
 * @module
 */
/// <reference lib="dom" />
import { createStack, openWebSocketLink, type Stack } from "@berth/berth/browser";
import { ping } from "./ping.ts";

const SERVER = "10.9.0.1";
const OWN = "10.9.0.2";

try {
  await run();
  show("done");
} catch (error) {
  show(`failed: ${error}`);
}

async function run(): Promise<void> {
  const link = await openWebSocketLink(new URL("attach", location.href.replace(/^http/, "ws")));
  show(`attached as ${OWN}`);
  show(`${SERVER} answered a ping after ${(await ping(link, OWN, SERVER)).toFixed(1)} ms`);
  await using stack = createStack({ link, addresses: [`${OWN}/24`, "fd09::2/64"] });
  for (const host of [SERVER, "[fd09::1]"]) {
    show(`GET http://${host}/: ${await get(stack, host, "/")}`);
  }
}

/** Fetches a page by HTTP/1.0 and returns its body, which ends with the connection. */
async function get(stack: Stack, host: string, path: string): Promise<string> {
  await using socket = stack.connect(`${host}:80`, { allowHalfOpen: true });
  await socket.write(new TextEncoder().encode(`GET ${path} HTTP/1.0\r\nHost: ${host}\r\n\r\n`));
  const decoder = new TextDecoder();
  let response = "";
  for await (const chunk of socket) response += decoder.decode(chunk, { stream: true });
  return response.slice(response.indexOf("\r\n\r\n") + 4);
}

function show(line: string): void {
  const item = document.createElement("li");
  item.textContent = line;
  document.querySelector("ul")!.append(item);
}
