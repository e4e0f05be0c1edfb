/**
 * The demo's page.
 *
 * @module
 */
import { html, raw } from "hono/html";

/** Markup as Hono takes it. */
export type Html = ReturnType<typeof html>;

/** The page for a connection; the keys are the row titles of its table. */
export function demoPage(connection: Readonly<Record<string, string | number>>): Html {
  return html`
    <!DOCTYPE html>
    <html lang="en">
      <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width">
        <title>berth</title>
        <style>${raw(STYLE)}</style>
      </head>
      <body>
    <h1>berth</h1>
    <p>
      This page was served by a TCP/IP stack written in TypeScript. The connection below terminates in
      it, not in a kernel; the table is updated while the page is open.
    </p>

    <h2>This connection</h2>
    <table id="connection">
    ${Object.entries(connection).map(([name, value]) => row(name, value))}
    </table>

    <h2>Echo</h2>
    <form id="echo"><input name="text" value="ahoy"> <button>Send</button> <output></output></form>
    <p>The stack's port 7 is an echo service too; the service has printed the host's port that
    leads to it. Try <code>nc 127.0.0.1 8007</code>.</p>

    <h2>Next steps</h2>
    ${raw(NEXT_STEPS)}
    <script type="module">${raw(SCRIPT)}</script>
      </body>
    </html>
  `;
}

function row(name: string, value: string | number): Html {
  return html`
    <tr>
      <th>${name}</th>
      <td id="${name}">${value}</td>
    </tr>
  `;
}

const STYLE = `
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 45rem; margin: 2rem auto; padding: 0 1rem }
th { text-align: left; font-weight: normal; padding-right: 2rem }
td, pre, code { font-family: ui-monospace, monospace }
pre { background: #8882; padding: 0.75rem; overflow: auto }
:root { color-scheme: light dark }
`;

const NEXT_STEPS = `
<p>An app of your own: any module whose default export has <code>fetch</code>, such as a Hono app.</p>
<pre>deno run -A main.ts --listen 80=http:./app.ts
bun run main.ts --listen 80=http:./app.ts</pre>
<p>A protocol of your own: a module whose default export handles a connection.</p>
<pre>// my_plugin.ts, for --listen 9000=./my_plugin.ts
export default async function shout({ socket }) {
  const upper = new TextEncoder();
  const text = new TextDecoder();
  for await (const chunk of socket) {
    await socket.write(upper.encode(text.decode(chunk, { stream: true }).toUpperCase()));
  }
}</pre>
<p>A network that the kernel sees, as root on Linux: then <code>curl http://10.7.0.2/</code> and
<code>ping 10.7.0.2</code> from any shell.</p>
<pre>deno run -A main.ts --tun berth0 --address 10.7.0.2/24</pre>
<p><code>--help</code> lists all flags.</p>
`;

const SCRIPT = `
const refresh = async () => {
  const connection = await (await fetch("/connection")).json();
  for (const [name, value] of Object.entries(connection)) {
    const cell = document.getElementById(name);
    if (cell) cell.textContent = value;
  }
};
setInterval(() => refresh().catch(() => {}), 1000);

const form = document.getElementById("echo");
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const answer = await fetch("/echo", { method: "POST", body: form.elements.text.value });
  form.querySelector("output").textContent = await answer.text();
});
`;
