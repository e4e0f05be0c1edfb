import { describe, expect } from "bun:test";
import { Buffer } from "node:buffer";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { makeCertificate } from "../support/certificates.ts";
import type { Namespace } from "../support/namespace.ts";
import { testRequiring } from "../support/requirements.ts";
import { digestOfPattern, pieces } from "./programs/pattern.ts";
import { NEEDS, programCommand, V4, V6, withService } from "./service.ts";

const needs = [...NEEDS, "program:curl", "program:openssl"] as const;
const CURL = ["curl", "--silent", "--show-error", "--fail", "--max-time", "20"];
const APP = resolve("tests/e2e/programs/app.ts");

/** Runs a body with a service that has proxies, TLS and HTTP/2, and the folder of its certificate. */
async function withProxies(
  body: (namespace: Namespace, folder: string) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "berth-e2e-"));
  try {
    const { cert, key } = makeCertificate(["localhost"]);
    writeFileSync(join(folder, "cert.pem"), cert);
    writeFileSync(join(folder, "key.pem"), key);
    const certificates = [{ cert: "cert.pem", key: "key.pem" }];
    const listen = {
      "1080": { plugin: "socks5", options: { allow: ["127.0.0.1"] } },
      "1081": { plugin: "socks5", options: { via: "stack", users: { anna: "secret" } } },
      "3128": { plugin: "connectProxy", options: { allow: ["127.0.0.1"] } },
      "3129": { plugin: "connectProxy", options: { via: "stack" } },
      "443": [
        { plugin: "tls", options: { certificates, alpn: ["h2", "http/1.1"] } },
        `http2:${APP}`,
        `http:${APP}`,
      ],
      "4443": {
        plugin: "detect",
        options: { tls: ["tls:cert.pem,key.pem", `http:${APP}`], http: `http:${APP}` },
      },
      "8443": ["tls:cert.pem,key.pem", "echo"],
      "8080": [`http2:${APP}`, `http:${APP}`],
    };
    const config = join(folder, "berth.json");
    writeFileSync(config, JSON.stringify({ listen }));
    await withService(
      async (namespace) => {
        await namespace.shell("ip link set lo up");
        const host = namespace.start(...programCommand("host_server.ts"));
        await host.printed(/ready/);
        await body(namespace, folder);
      },
      "--config",
      config,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe("curl through proxies", () => {
  // An allowed and a denied server on the host's loopback, and ports of the stack, which are denied
  // through the host since that would loop back.
  testRequiring(
    needs,
    "reaches only allowed servers of the host and the stack",
    () =>
      withProxies(async (namespace) => {
        const ask = (...more: string[]) => namespace.run([...CURL, ...more]);
        const status = (...more: string[]) =>
          namespace.shell(`${[...CURL, ...more].join(" ")} >/dev/null 2>&1; echo $?`);
        const host = "http://127.0.0.1:3000/";

        const socks = ["--socks5-hostname", `${V4}:1080`];
        expect(await ask(...socks, host)).toBe("from the host");
        expect(await status(...socks, `http://${V4}/number/1`)).toBe("97\n");
        expect(await status(...socks, "http://127.0.0.2:3000/")).toBe("97\n");
        expect(await status(...socks, "http://127.0.0.1:3001/")).toBe("97\n");

        const back = ["--socks5", `[${V6}]:1081`, "--proxy-user", "anna:secret"];
        expect(await ask(...back, `http://${V4}/number/2`)).toBe("2\n");
        expect(await ask(...back, `http://[${V6}]/number/3`)).toBe("3\n");
        const wrong = ["--socks5", `${V4}:1081`, "--proxy-user", "anna:wrong"];
        expect(await status(...wrong, `http://${V4}/number/2`)).toBe("97\n");

        const tunnel = (port: number) => ["--proxytunnel", "--proxy", `http://${V4}:${port}`];
        expect(await ask(...tunnel(3128), host)).toBe("from the host");
        expect(await ask(...tunnel(3129), `http://${V4}/number/4`)).toBe("4\n");
        for (const to of ["http://169.254.169.254/", `http://${V4}/number/5`]) {
          const denied = [...tunnel(3128), "--write-out", "%{http_connect}", to];
          expect(await namespace.shell(`${[...CURL, ...denied].join(" ")} || true`)).toBe("403");
        }
      }),
    60_000,
  );
});

describe("detect", () => {
  // HTTP with and without TLS on one port, each by a plugin of its own.
  testRequiring(
    needs,
    "serves curl with and without TLS on one port",
    () =>
      withProxies(async (namespace, folder) => {
        const secure = [
          ...["--cacert", join(folder, "cert.pem"), "--resolve", `localhost:4443:${V4}`],
        ];
        const ask = (...more: string[]) => namespace.run([...CURL, ...more]);
        expect(await ask(...secure, "https://localhost:4443/number/7")).toBe("7\n");
        expect(await ask(`http://${V4}:4443/number/8`)).toBe("8\n");
      }),
    60_000,
  );
});

describe("TLS and HTTP/2", () => {
  // Both versions of TLS, both of HTTP, uploads and downloads of 5 MB.
  testRequiring(needs, "serve curl", () =>
    withProxies(async (namespace, folder) => {
      const secure = [
        ...["--cacert", join(folder, "cert.pem"), "--resolve", `localhost:443:${V4}`],
      ];
      const version = ["--write-out", "%{http_version}"];
      const url = "https://localhost/number/5";
      const ask = (...more: string[]) => namespace.run([...CURL, ...more]);
      expect(await ask(...secure, ...version, "--http2", url)).toBe("5\n2");
      expect(await ask(...secure, ...version, "--http2", "--tls-max", "1.2", url)).toBe("5\n2");
      expect(await ask(...secure, ...version, "--http1.1", url)).toBe("5\n1.1");

      const size = 5_000_000;
      const file = join(folder, "body");
      writeFileSync(file, Buffer.concat([...pieces(size)]));
      for (const http of ["--http2", "--http1.1"]) {
        const digest = await ask(...secure, http, "-T", file, "https://localhost/digest");
        expect(digest).toBe(digestOfPattern(size));
        await ask(...secure, http, "-o", `${file}.back`, `https://localhost/bytes/${size}`);
        await namespace.run(["cmp", file, `${file}.back`]);
      }
      const many = ["--http2", "--parallel", "--parallel-max", "50"];
      const answers = await ask(...secure, ...many, "https://localhost/number/[1-100]");
      expect(answers.trim().split("\n").map(Number).sort((a, b) => a - b))
        .toEqual(Array.from({ length: 100 }, (_, index) => index + 1));

      const plain = `http://${V4}:8080/number/6`;
      expect(await ask(...version, "--http2-prior-knowledge", plain)).toBe("6\n2");
      expect(await ask(...version, "--http1.1", plain)).toBe("6\n1.1");
    }), 60_000);

  // openssl shows the handshake and an echo; its input ends after the echo.
  testRequiring(needs, "serve openssl s_client", () =>
    withProxies(async (namespace, folder) => {
      const verify = `-verify_return_error -CAfile ${join(folder, "cert.pem")}`;
      for (const version of ["1_2", "1_3"]) {
        const brief = await namespace.shell(
          `openssl s_client -connect ${V4}:443 -servername localhost -alpn h2,http/1.1 ` +
            `-tls${version} ${verify} </dev/null 2>&1`,
        );
        expect(brief).toContain("ALPN protocol: h2");
        expect(brief).toContain("Verification: OK");
        expect(brief).toMatch(new RegExp(`TLSv${version.replace("_", ".")}`));
        const echoed = await namespace.shell(
          `cd ${folder}; mkfifo in${version} out${version}; ` +
            `openssl s_client -quiet -no_ign_eof -connect ${V4}:8443 -tls${version} ` +
            `<in${version} >out${version} 2>/dev/null & exec 3>in${version} 4<out${version}; ` +
            `printf 'hello\\n' >&3; head -n 1 <&4; exec 3>&-; wait`,
        );
        expect(echoed).toBe("hello\n");
      }
    }), 60_000);
});
