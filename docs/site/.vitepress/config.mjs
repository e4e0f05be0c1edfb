import { readFileSync } from "node:fs";
import { defineConfig } from "vitepress";

const navigation = new URL("../.content/navigation.json", import.meta.url);

export default defineConfig({
  title: "berth",
  description: "A user-space TCP/IP stack and service host in TypeScript for Deno and Bun",
  srcDir: ".content",
  outDir: "dist",
  base: process.env.SITE_BASE ?? "/",
  lang: "en",
  head: [["link", { rel: "icon", href: "data:," }]],
  // The reference of the API is HTML of another generator.
  ignoreDeadLinks: [/^\/api\//, /^\/source\//],
  markdown: {
    // As repository hosts make them, so that links to sections work there and here.
    anchor: {
      slugify: (heading) =>
        heading.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-"),
    },
  },
  themeConfig: {
    search: { provider: "local" },
    outline: [2, 3],
    nav: [
      { text: "Demo", link: "/network.html", target: "_self" },
      { text: "Tutorial", link: "/tutorial" },
      { text: "Contents", link: "/contents" },
      { text: "API", link: "/api/index.html", target: "_self" },
    ],
    sidebar: JSON.parse(readFileSync(navigation, "utf8")),
    docFooter: { prev: "Previous", next: "Next" },
  },
});
