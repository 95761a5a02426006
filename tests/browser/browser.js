// Starts a real browser and checks every page that it visits.

import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium } from "playwright-core";

const shots = process.env.CONSOLE_SCREENSHOTS ?? new URL("../../target/console-screenshots", import.meta.url).pathname;
/** A folder whose files replace those of the program, to edit the page without a build. */
const files = process.env.CONSOLE_FILES;
const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/** Starts the browser with additional arguments. */
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
 * Opens a page of a stack in a new context. At its end, all requests must have gone to that stack, and the
 * browser must have reported only the errors that the test expects. `first` is the first URL, by default the wallets.
 */
export async function visit(browser, url, { first = `${url}/#/wallets`, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1200, height: 860 }, reducedMotion: "reduce", ...options });
  await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: url });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  if (files) await page.route(/\/(console\/[a-z]+\.[a-z]+)?$/, fromDisk);
  const foreign = [], errors = [];
  page.on("request", (request) => { if (!request.url().startsWith(`${url}/`) && !request.url().startsWith(`blob:${url}/`)) foreign.push(request.url()); });
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) errors.push(`${message.text()} ${message.location().url.split("#")[0]}`); });
  page.on("pageerror", (error) => errors.push(String(error)));
  await page.goto(first);
  return {
    page,
    /** Closes the page. `expected` matches the errors that belong to the test. */
    async leave(expected = /^$/) {
      await context.close();
      assert.deepEqual(foreign, [], "requests to other servers");
      assert.deepEqual(errors.filter((text) => !expected.test(text)), [], "unexpected browser errors");
    },
  };
}

/** Serves the page's files from the folder, with the headers of the program. */
async function fromDisk(route) {
  const name = new URL(route.request().url()).pathname.split("/").pop() || "index.html";
  await route.fulfill({ response: await route.fetch(), body: await readFile(join(files, name)) });
}

/** Clicks a button that saves a file, and returns the file's name and text. */
export async function saved(page, button) {
  const [download] = await Promise.all([page.waitForEvent("download"), button.click()]);
  return { name: download.suggestedFilename(), text: await readFile(await download.path(), "utf8") };
}

/** Takes a screenshot. */
export async function shoot(page, name, options) {
  await mkdir(shots, { recursive: true });
  await page.screenshot({ path: join(shots, `${name}.png`), ...options });
}

/** Checks the accessibility of the page with axe. */
export async function accessible(page, name) {
  // The page's policy blocks scripts, so the debugger injects axe.
  await page.evaluate(await source());
  const found = await page.evaluate(() => window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
  const violations = found.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.target} ${node.failureSummary}`).join(" | ")}`);
  assert.deepEqual(violations, [], `accessibility of ${name}`);
}

let text;
async function source() {
  text ??= await readFile(axe, "utf8");
  return text;
}
