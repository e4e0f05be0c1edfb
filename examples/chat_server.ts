/**
 * A chat server over plain TCP: each line is sent to all other clients.
 *
 *     deno task start --listen 9000=./examples/chat_server.ts
 *     nc 127.0.0.1 9000 # in two shells
 *
 * @module
 */
import { definePlugin, type PluginFactory, type TcpSocket } from "@berth/berth";
import { z } from "zod";

/** Maximum length of a line; longer ones are split, so that a client cannot exhaust memory. */
const MAX_LINE = 1024;

const chatServer: PluginFactory<{ maxMembers?: number | undefined }> = definePlugin({
  name: "chat-server",
  options: z.strictObject({ maxMembers: z.int().min(1).default(100) }),
  setup: ({ maxMembers }) => {
    const members = new Map<TcpSocket, string>();

    function broadcast(text: string, except?: TcpSocket): void {
      const bytes = new TextEncoder().encode(text);
      for (const member of members.keys()) {
        // A member that does not read fills its send buffer and is disconnected, since waiting for
        // it would delay all others.
        if (member !== except && member.tryWrite(bytes) < bytes.length) member.abort();
      }
    }

    return async ({ socket }) => {
      if (members.size >= maxMembers) {
        await socket.write(new TextEncoder().encode("The chat is full.\n"));
        return;
      }
      const name = `${socket.remoteAddr.hostname}:${socket.remoteAddr.port}`;
      members.set(socket, name);
      broadcast(`* ${name} joined\n`, socket);
      try {
        for await (const line of linesOf(socket)) broadcast(`${name}: ${line}\n`, socket);
      } finally {
        members.delete(socket);
        broadcast(`* ${name} left\n`);
      }
    };
  },
});

export default chatServer;

/** TCP carries a byte stream: a chunk may hold part of a line, or several. */
async function* linesOf(socket: TcpSocket): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of socket) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split(/\r?\n/);
    rest = lines.pop()!.slice(0, MAX_LINE);
    for (const line of lines) yield line.slice(0, MAX_LINE);
  }
  if (rest !== "") yield rest;
}
