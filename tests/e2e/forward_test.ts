import { describe, expect } from "bun:test";
import type { Namespace } from "../support/namespace.ts";
import { Program } from "../support/program.ts";
import { testRequiring } from "../support/requirements.ts";
import { TemporaryFolder } from "../support/temporary_folder.ts";
import { NEEDS, V4, V6, withService } from "./service.ts";

/**
 * Configures nginx to return the client's address, on a port and a socket that both require a PROXY
 * header.
 */
function nginxConfig({ path }: TemporaryFolder): string {
  const said = "$proxy_protocol_addr > $proxy_protocol_server_addr:$proxy_protocol_server_port";
  return `
    daemon off; master_process off; pid ${path}/nginx.pid; error_log stderr warn;
    events { worker_connections 64; }
    http {
      access_log off;
      client_body_temp_path ${path}/a; proxy_temp_path ${path}/b; fastcgi_temp_path ${path}/c;
      uwsgi_temp_path ${path}/d; scgi_temp_path ${path}/e;
      server {
        listen 127.0.0.1:3000 proxy_protocol;
        listen unix:${path}/nginx.sock proxy_protocol;
        return 200 "${said}\\n";
      }
    }
  `;
}

/** Forwards 8001 and 8002 to nginx's port with either version, 8003 to its socket. */
function serviceConfig({ path }: TemporaryFolder): string {
  const forward = (to: string, proxyProtocol: number) => ({
    plugin: "forward",
    options: { to, proxyProtocol },
  });
  return JSON.stringify({
    listen: {
      8001: forward("127.0.0.1:3000", 1),
      8002: forward("127.0.0.1:3000", 2),
      8003: forward(`unix:${path}/nginx.sock`, 2),
    },
  });
}

describe("nginx behind forward", () => {
  // Both versions, both families, a TCP and a Unix target: nginx sees both addresses.
  testRequiring(
    [...NEEDS, "program:curl", "program:nginx"],
    "sees the client's address through the PROXY protocol",
    async () => {
      using folder = new TemporaryFolder();
      const nginx = folder.write("nginx.conf", nginxConfig(folder));
      const service = folder.write("berth.json", serviceConfig(folder));
      await withService(
        async (namespace) => {
          namespace.start("nginx", "-p", folder.path, "-e", "stderr", "-c", nginx);
          await namespace.shell(
            "until curl -s --haproxy-protocol -o /dev/null 127.0.0.1:3000; do sleep 0.05; done",
          );
          for (const port of [8001, 8002, 8003]) {
            const curl = (host: string) =>
              namespace.run(["curl", "-sS", `http://${host}:${port}/`]);
            expect(await curl(V4)).toBe(`10.90.0.1 > ${V4}:${port}\n`);
            expect(await curl(`[${V6}]`)).toBe(`fd90::1 > ${V6}:${port}\n`);
          }
        },
        "--config",
        service,
      );
    },
    30_000,
  );
});

const SSHD = `
  mount -t tmpfs none /run && mkdir /run/sshd
  exec "$(command -v sshd)" -D -e -f "$1/sshd_config"
`;

/** Starts an SSH server on port 2222 that accepts the key \`client\` of the folder. */
async function startSshd(namespace: Namespace, folder: TemporaryFolder): Promise<void> {
  for (const key of ["host", "client"]) {
    const made = new Program(
      ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder.file(key)],
      folder.path,
    );
    expect((await made.ended).exit).toBe(0);
  }
  folder.write(
    "sshd_config",
    `ListenAddress 127.0.0.1:2222
     HostKey ${folder.file("host")}
     AuthorizedKeysFile ${folder.file("client.pub")}
     PidFile none
     StrictModes no
     UsePAM no
    `,
  );
  const sshd = namespace.start("unshare", "-m", "sh", "-c", SSHD, "sshd", folder.path);
  await sshd.printed(/Server listening/, "log");
}

describe("ssh through forward", () => {
  // Four megabytes go to the standard input of the remote command, with end of file, and come back
  // modified.
  testRequiring(
    [...NEEDS, "program:ssh", "program:ssh-keygen", "program:sshd"],
    "runs a command and carries its whole input and output",
    async () => {
      using folder = new TemporaryFolder();
      await withService(
        async (namespace) => {
          await startSshd(namespace, folder);
          const options = [
            ...["-F", "none", "-i", folder.file("client"), "-p", "22"],
            ...["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"],
            ...["-o", "LogLevel=ERROR", "-o", "BatchMode=yes"],
          ].join(" ");
          const input = "head -c 4000000 /dev/zero";
          const ssh = `ssh ${options} ${V4} "tr '\\\\0' x; echo end"`;
          const output = await namespace.shell(`${input} | ${ssh} | tail -c 10`);
          expect(output).toBe("xxxxxxend\n");
          const size = await namespace.shell(`${input} | ${ssh} | wc -c`);
          expect(size.trim()).toBe("4000004");
        },
        "--listen",
        "22=forward:127.0.0.1:2222",
      );
    },
    30_000,
  );
});
