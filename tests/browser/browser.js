// A real browser, and what every page in it is held to.

import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium } from "playwright-core";

const shots = process.env.CONSOLE_SCREENSHOTS ?? new URL("../../target/console-screenshots", import.meta.url).pathname;
/** To work on the page without a build: a folder whose files are used in place of the program's. */
const files = process.env.CONSOLE_FILES;
const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/** The browser, with more arguments than every test needs. */
export function launch(...more) {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync", ...more,
    ],
  });
}

/**
 * A page of its own on a stack. At its end nothing may have gone anywhere but to that stack, and
 * nothing may have been complained about but what the test names. `first`: where it begins.
 */
export async function visit(browser, url, { first = url, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1200, height: 860 }, ...options });
  await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: url });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  if (files) await page.route(/\/(console\/[a-z]+\.[a-z]+)?$/, fromDisk);
  const elsewhere = [], complaints = [];
  page.on("request", (request) => { if (!request.url().startsWith(`${url}/`)) elsewhere.push(request.url()); });
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) complaints.push(message.text()); });
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(first);
  return {
    page,
    /** Closes it. `expected`: complaints that belong to the test. */
    async leave(expected = /^$/) {
      await context.close();
      assert.deepEqual(elsewhere, [], "requests to elsewhere");
      assert.deepEqual(complaints.filter((text) => !expected.test(text)), [], "complaints of the browser");
    },
  };
}

/** The page's files as they are now, under the headers of those in the program. */
async function fromDisk(route) {
  const name = new URL(route.request().url()).pathname.split("/").pop() || "index.html";
  await route.fulfill({ response: await route.fetch(), body: await readFile(join(files, name)) });
}

/** Keeps what is seen. */
export async function shoot(page, name, options) {
  await mkdir(shots, { recursive: true });
  await page.screenshot({ path: join(shots, `${name}.png`), ...options });
}

/** What axe finds wrong with the page as it is. */
export async function accessible(page, name) {
  // The page's own policy lets no script in; the debugger's way is none of the page's.
  await page.evaluate(await source());
  const found = await page.evaluate(() => window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
  const told = found.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.target} ${node.failureSummary}`).join(" | ")}`);
  assert.deepEqual(told, [], `accessibility of ${name}`);
}

let text;
async function source() {
  text ??= await readFile(axe, "utf8");
  return text;
}
