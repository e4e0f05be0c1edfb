import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { listenForAdmin } from "../../adapters/service/admin/listen.ts";
import type { OpenConnection } from "../../core/api/types.ts";
import { unreachable, violations } from "../support/accessibility.ts";
import { Chromium, type Tab } from "../support/chromium.ts";
import { TestDashboard } from "../support/dashboard.ts";
import { startDashboardService } from "../support/dashboard_service.ts";
import { fakeConnection } from "../support/fake_connection.ts";
import { requires, testRequiring } from "../support/requirements.ts";
import { endRuns, start } from "../support/service_run.ts";
import { TemporaryFolder } from "../support/temporary_folder.ts";

const CHROMIUM = "program:chromium";
/** Another name for the loopback, as after DNS rebinding. */
const FOREIGN = "foreign.test";
const DESKTOP = { width: 1280, height: 900, dark: false };

let browser: Chromium;
beforeAll(async () => {
  if (!requires(CHROMIUM).ok) return;
  browser = await Chromium.open(
    `--host-resolver-rules=MAP ${FOREIGN} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1`,
  );
});
afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
  await endRuns();
});

/** Connections whose counters grow each time they are read. */
function growing(count: number): readonly OpenConnection[] {
  return Array.from({ length: count }, (_, index) => {
    let looked = 0;
    const fake = fakeConnection({
      port: index % 65_536,
      plugin: index % 3 === 0 ? "echo" : "http",
    });
    return {
      ...fake,
      localAddr: { transport: "tcp", hostname: `10.0.${index >> 16}.1`, port: 80 },
      ageSeconds: index % 5000,
      stats: () => ({ ...fake.stats(), bytesIn: index * 100 + looked++, srttMs: 20 + index % 9 }),
    };
  });
}

const open = (connections: readonly OpenConnection[]) =>
  TestDashboard.open({
    connections: () => connections,
    stats: () => ({
      packetsIn: 1,
      packetsOut: 1,
      bytesIn: 1,
      bytesOut: 1,
      connections: connections.length,
      "drop.tcp.checksum": 3,
    }),
  });

/** A tab with the dashboard, signed in. */
async function visit(dashboard: TestDashboard): Promise<Tab> {
  const tab = await browser.visit(await dashboard.url());
  await tab.show(DESKTOP);
  return tab;
}

const ROWS = "document.querySelectorAll('section .scroll tbody tr').length";
const TEXT = "document.body.innerText";
/** True if the page does not scroll sideways. */
const FITS = "document.documentElement.scrollWidth <= document.documentElement.clientWidth";

/** The text of the element that has the focus. */
const focused = (tab: Tab) =>
  tab.evaluate("document.activeElement.ariaLabel ?? document.activeElement.innerText");

/** Presses Tab until the focus is on an element with this text. */
async function tabTo(tab: Tab, name: string): Promise<void> {
  for (let i = 0; i < 80; i++) {
    await tab.press("Tab");
    if (await focused(tab) === name) return;
  }
  throw new Error(`no Tab reaches ${name}`);
}

/** Source and destination of each packet of a pcapng file, as tshark reads it. */
function conversationsIn(file: Uint8Array): string[] {
  using folder = new TemporaryFolder();
  const path = folder.file("saved.pcapng");
  writeFileSync(path, file);
  const fields = ["ip.src", "tcp.srcport", "ip.dst", "tcp.dstport"].flatMap((each) => ["-e", each]);
  const out = execFileSync("tshark", ["-r", path, "-T", "fields", ...fields], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  return out.trimEnd().split("\n").map((line) => {
    const [source, sourcePort, destination, destinationPort] = line.split("\t");
    return `${source}:${sourcePort} > ${destination}:${destinationPort}`;
  });
}

describe("the dashboard in Chromium", () => {
  // The page gets 25 connections, which the service has sorted and filtered.
  testRequiring([CHROMIUM], "shows 100,000 connections in pages", async () => {
    await using dashboard = await open(growing(100_000));
    const tab = await visit(dashboard);
    await tab.until(`${ROWS} === 25`);
    expect(await tab.evaluate(TEXT)).toContain("1–25 of 100,000");
    // The reason with its count.
    await tab.until(`/Dropped packets by reason[^]*tcp\\.checksum\\s+3\\b/.test(${TEXT})`);
    const click = (text: string) =>
      tab.evaluate(`[...document.querySelectorAll("button")]
        .find((button) => button.innerText.startsWith(${JSON.stringify(text)})).click()`);
    const first = "document.querySelector('.scroll tbody tr').innerText";
    await click("In");
    await tab.until(`${first}.includes("10.0 MB")`);
    await click("Next");
    await tab.until(`${TEXT}.includes("26–50 of 100,000")`);
    await tab.evaluate("document.querySelector('input[type=search]').focus()");
    await tab.type("10.0.1.1:80");
    await tab.until(`${TEXT}.includes("of 34,464")`);
    await tab.until(`${ROWS} === 25`);
  }, 60_000);

  // Reading in the page: header, table, a connection and back, a dialog, and signing out.
  testRequiring([CHROMIUM], "is used with the keyboard alone", async () => {
    await using dashboard = await open(growing(3));
    const tab = await browser.visit(dashboard.origin);
    await tab.show(DESKTOP);
    await tab.until("document.activeElement.name === 'token'");
    await tab.type("a token for the tests");
    await tab.press("Enter");
    await tab.until(`${ROWS} === 3`);
    await tabTo(tab, "Filter connections");
    await tab.type("10.0.0.2:2");
    await tab.until(`${ROWS} === 1`);
    await tabTo(tab, "10.0.0.2:2");
    await tab.press("Enter");
    await tab.until(`${TEXT}.includes("Round-trip time")`);
    await tabTo(tab, "Reset");
    await tab.press("Enter");
    await tab.until("document.querySelector('dialog[open]')");
    await tabTo(tab, "Reset");
    await tab.press("Enter");
    await tab.until(`${TEXT}.includes("The connection was reset.")`);
    await tab.press("Escape");
    await tab.until("!document.querySelector('dialog')");
    await tabTo(tab, "All connections");
    await tab.press("Enter");
    await tabTo(tab, "Drain");
    await tab.press("Enter");
    // The safe choice has the focus.
    await tab.until("document.activeElement.innerText === 'Cancel'");
    await tab.press("Enter");
    expect(dashboard.did).toEqual(["reset 10.0.0.1:80-10.0.0.2:2"]);
    await tabTo(tab, "Reload");
    await tab.press(" ");
    await tabTo(tab, "Reload");
    await tab.press("Enter");
    await tab.until(`${TEXT}.includes("listen changed: 80")`);
    await tab.press("Escape");
    await tabTo(tab, "Sign out");
    await tab.press("Enter");
    await tab.until("document.querySelector('input[name=token]')");
    expect(dashboard.did).toEqual(["reset 10.0.0.1:80-10.0.0.2:2", "reload"]);
  }, 60_000);

  testRequiring([CHROMIUM], "is accessible in both colour schemes and widths", async () => {
    await using dashboard = await open(growing(60));
    const tab = await visit(dashboard);
    await tab.until(`${ROWS} === 25`);
    for (const width of [1280, 390]) {
      for (const dark of [false, true]) {
        await tab.show({ width, height: 900, dark });
        expect([width, dark, await violations(tab)]).toEqual([width, dark, []]);
        expect(await tab.evaluate(FITS)).toBe(true);
      }
    }
    expect(await unreachable(tab)).toEqual([]);
    await tab.evaluate("document.querySelector('.scroll tbody a').click()");
    await tab.until(`${TEXT}.includes("Round-trip time")`);
    expect(await violations(tab)).toEqual([]);
    expect(await unreachable(tab)).toEqual([]);
    expect(await tab.evaluate(FITS)).toBe(true);
    const signedOut = await browser.visit(dashboard.origin);
    await signedOut.until("document.querySelector('input')");
    expect(await violations(signedOut)).toEqual([]);
  }, 60_000);

  // The key does not stay in the address bar. A reloaded page stays signed in; another tab is not signed in.
  testRequiring([CHROMIUM], "keeps its session in its tab", async () => {
    await using dashboard = await open(growing(3));
    const tab = await visit(dashboard);
    await tab.until(`${ROWS} === 3`);
    expect(await tab.evaluate("location.href")).toBe(`${dashboard.origin}/`);
    await tab.evaluate("location.reload()");
    await tab.until(`${ROWS} === 3`);
    expect(await tab.evaluate("document.cookie")).toBe("");
    const other = await browser.visit(dashboard.origin);
    await other.until("document.querySelector('input[name=token]')");
  }, 60_000);

  // The page says that the service cannot be reached, tries again, and shows the last figures until then.
  testRequiring([CHROMIUM], "says when the service is away", async () => {
    const dashboard = await open(growing(3));
    const tab = await visit(dashboard);
    await tab.until(`${ROWS} === 3`);
    await dashboard[Symbol.asyncDispose]();
    await tab.until(`${TEXT}.includes("the service cannot be reached; trying again")`);
    expect(await tab.evaluate(ROWS)).toBe(3);
  }, 60_000);

  // Two pages: one from another port of the loopback, which is the same site, and one whose name leads to the
  // dashboard's own port. While a tab is signed in, neither reads anything nor changes anything.
  testRequiring([CHROMIUM], "is out of the reach of other pages", async () => {
    await using dashboard = await open(growing(3));
    const tab = await visit(dashboard);
    await tab.until(`${ROWS} === 3`);
    const page = () =>
      new Response("<!doctype html><title>x</title>", {
        headers: { "Content-Type": "text/html" },
      });
    const { port, close } = await listenForAdmin({ hostname: "127.0.0.1", port: 0 }, page);
    try {
      const target = JSON.stringify(dashboard.origin);
      for (const host of [`127.0.0.1:${port}`, `${FOREIGN}:${port}`]) {
        const attacker = await browser.visit(`http://${host}/`);
        expect(
          await attacker.evaluate(`(async (target) => {
          const tried = {};
          const attempt = async (name, act) => tried[name] = await act().catch((error) => error.name);
          const ask = (path, init) => async () => {
            const answer = await fetch(target + path, init);
            return answer.type + " " + (await answer.text()).length;
          };
          await attempt("read", ask("/connections"));
          await attempt("read with credentials", ask("/connections", { credentials: "include" }));
          await attempt("blind", ask("/drain", { method: "POST", mode: "no-cors" }));
          await attempt("json", ask("/config", { method: "PUT", body: "{}" }));
          await attempt("sign in", ask("/session", { method: "POST", mode: "no-cors", body: "x" }));
          await attempt("live", ask("/live", { mode: "no-cors" }));
          await attempt("script", () => new Promise((resolve) => {
            const script = document.createElement("script");
            script.src = target + "/assets/shared/format.ts";
            script.type = "module";
            script.onload = () => resolve("loaded");
            script.onerror = () => resolve("refused");
            document.head.append(script);
          }));
          await attempt("form", () => new Promise((resolve) => {
            const frame = document.createElement("iframe");
            frame.name = "f";
            const form = document.createElement("form");
            Object.assign(form, { method: "POST", action: target + "/drain", target: "f" });
            document.body.append(frame, form);
            frame.onload = () => {
              try {
                if (frame.contentWindow.location.href !== "about:blank") resolve("readable");
              } catch {
                resolve("not readable");
              }
            };
            form.submit();
          }));
          await attempt("frame", () => new Promise((resolve) => {
            const frame = document.createElement("iframe");
            frame.src = target + "/";
            frame.onload = () => resolve(frame.contentDocument === null ? "not readable" : "readable");
            document.body.append(frame);
          }));
          return tried;
        })(${target})`),
        ).toEqual({
          "read": "TypeError",
          "read with credentials": "TypeError",
          "blind": expect.stringMatching(/^(opaque 0|TypeError)$/),
          "json": "TypeError",
          "sign in": expect.stringMatching(/^(opaque 0|TypeError)$/),
          "live": expect.stringMatching(/^(opaque 0|TypeError)$/),
          "script": "refused",
          "form": "not readable",
          "frame": "not readable",
        });
      }
      const rebound = await browser.visit(dashboard.origin.replace("127.0.0.1", FOREIGN));
      expect(await rebound.evaluate(TEXT)).toContain("is not one of the admin API");
      expect(dashboard.did).toEqual([]);
      await tab.until(`${ROWS} === 3`);
    } finally {
      await close();
    }
  }, 60_000);
});

describe("a connection in the dashboard", () => {
  // For a download over a lossy link, the plot shows retransmissions, the list shows segments, and the recording has
  // packets.
  testRequiring(
    [CHROMIUM, "program:tshark"],
    "has its plots, its segments and its pcapng file",
    async () => {
      using service = await startDashboardService();
      const tab = await browser.visit(await service.url());
      await tab.show(DESKTOP);
      await tab.until(`${TEXT}.includes("chargen")`);
      await tab.until(`/127\\.0\\.0\\.1:9\\s+up/.test(${TEXT})`);
      await tab.show({ ...DESKTOP, width: 390 });
      expect(await tab.evaluate(FITS)).toBe(true);
      await tab.show(DESKTOP);
      await tab.evaluate(`[...document.querySelectorAll(".scroll tr")]
      .find((row) => row.innerText.includes("chargen")).querySelector("a").click()`);
      await tab.until(`${TEXT}.includes("Time and sequence numbers, sent")`);
      await tab.until("document.querySelectorAll('.scroll tbody tr').length === 40");
      await tab.until(`/retransmission/.test(${TEXT})`);
      await tab.until(`/goodput: sent [1-9][\\d.]* [kM]bit/i
      .test(document.querySelector('[aria-label^="Goodput"]').ariaLabel)`);
      const acknowledged = `Number(/acknowledged ([\\d.]+)/
      .exec(document.querySelector('[aria-label^="Time and seq"]').ariaLabel)?.[1])`;
      await tab.until(`${acknowledged} > 0`);
      await tab.until(`/cwnd [1-9][\\d.]* kB, in flight [1-9][\\d.]* k?B/
      .test(document.querySelector('[aria-label^="Congestion"]').ariaLabel)`);
      expect(
        await tab.evaluate(`[...document.querySelectorAll(".canvas")]
      .every((place) => place.querySelector("canvas")?.height > 0)`),
      ).toBe(true);
      expect(await violations(tab)).toEqual([]);
      // The file that the page would save.
      await tab.evaluate(`HTMLAnchorElement.prototype.click = () => {};
      URL.createObjectURL = (file) => {
        file.arrayBuffer().then((bytes) => globalThis.saved = new Uint8Array(bytes));
        return "blob:";
      }`);
      const button = (text: string) =>
        tab.evaluate(`[...document.querySelectorAll("button")]
        .find((one) => one.innerText.startsWith("${text}")).click()`);
      await button("Record packets");
      await tab.until(`/Save [\\d.]+ [kM]B as pcapng/.test(${TEXT})`);
      await button("Save");
      const saved = Uint8Array.from(await tab.until("globalThis.saved && [...saved]") as number[]);
      // The file has the packets of this connection, in both directions, and of no other connection.
      const name = await tab.evaluate("document.querySelector('.pair').innerText") as string;
      const [, remote, local] = /(\S+) → (\S+)/.exec(name)!;
      const packets = conversationsIn(saved);
      expect(packets.length).toBeGreaterThan(10);
      expect([...new Set(packets)].toSorted())
        .toEqual([`${local} > ${remote}`, `${remote} > ${local}`].toSorted());
      await tab.until(`${TEXT}.includes("Record packets")`);
      await button("Pause");
      await tab.until(`${TEXT}.includes("Continue")`);
      expect(service.run.log).not.toContain(" error ");
      await endRuns();
    },
    60_000,
  );
});

describe("berth dashboard", () => {
  // For a service at a port with a token, and for one at a Unix socket, the printed URL signs in.
  testRequiring([CHROMIUM], "prints a URL for a port and for a socket", async () => {
    using folder = new TemporaryFolder();
    for (
      const admin of ["unix:berth.sock", { listen: "127.0.0.1:25107", token: "0123456789abcdef" }]
    ) {
      const config = folder.write(
        "berth.json",
        JSON.stringify({ listen: { "7": "echo" }, publish: ["0=10.7.0.2:7"], admin }),
      );
      const service = start("--config", config);
      await service.printed(/Ctrl\+C/);
      const command = start("dashboard", "--config", config);
      const [, url] = await command.printed(/open (\S+)/);
      const tab = await browser.visit(url!);
      await tab.until(`${TEXT}.includes("Listening") && ${TEXT}.includes("echo")`);
      await tab.until(`${TEXT}.includes("serving")`);
      await endRuns();
    }
  }, 60_000);

  test("says that there is no service", async () => {
    using folder = new TemporaryFolder();
    const run = start("dashboard", "--admin", `unix:${folder.file("none")}`);
    expect(await run.exit).toBe(1);
    expect(run.log).toContain("cannot reach the service at unix:");
  });
});
