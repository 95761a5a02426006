// Tests how the console shows states and times: only known facts, in checkable terms.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { accessible, launch, shoot, visit } from "./browser.js";
import { api, run, start } from "./stack.js";

const DAY = 86_400_000;
const REFUSED = /Failed to load resource: (the server responded with a status of (404|422)|net::ERR_)/;

let browser, stack;
before(async () => {
  stack = await start();
  for (const userId of ["alice", "albert", "bob"]) assert.equal((await api(stack, "POST", "wallets", { userId })).status, 201);
  for (const exchange of ["aster", "hyperliquid"]) {
    assert.equal((await api(stack, "POST", `trading/${exchange}/apikey`, { walletIdOrAddress: "alice" })).status, 200);
  }
  assert.equal((await api(stack, "POST", "wallets/alice/sign", { message: "hello" })).status, 200);
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await stack?.stop();
});

const id = async (user) => (await api(stack, "GET", `wallets/${user}`)).body.walletId;
const open = async (page, user) => {
  await page.goto(`${stack.url}/#/wallets/${await id(user)}`);
  await page.getByRole("heading", { level: 1, name: user }).waitFor();
};
const card = (page, name) => page.getByRole("region", { name, exact: true });
const main = (page) => page.getByRole("main");

test("operator freeze shows author, time and reason", async () => {
  const { page, leave } = await visit(browser, stack.url);
  await open(page, "albert");
  assert.equal(await page.getByText("frozen by operator").count(), 0);
  const output = await run(stack.data, "wallets", "freeze", "albert", "--reason", "the account was <b>taken over</b>", "--endpoint-url", stack.dynamodb);
  assert.match(output, /is frozen/);
  await page.getByText("frozen by operator").waitFor();
  const facts = await page.locator(".facts").first().textContent();
  assert.match(facts, /by local:olga, \d{4}-\d\d-\d\d \d\d:\d\d:\d\d: the account was <b>taken over<\/b>\./);
  assert.match(facts, /hyperdex wallets unfreeze/);
  assert.doesNotMatch(await main(page).textContent(), /cheat|barred/i);
  await accessible(page, "a frozen wallet");
  await shoot(page, "frozen", { fullPage: true });
  // The filter finds the wallet, and the list shows the freeze.
  await page.goto(`${stack.url}/#/wallets`);
  await page.getByLabel("State of the trading keys").selectOption("frozen");
  await page.waitForFunction(() => document.querySelectorAll("tbody th a").length === 1);
  assert.match(await page.locator("tbody th").textContent(), /albert frozen by operator/);
  await run(stack.data, "wallets", "unfreeze", "albert", "--reason", "it is over", "--endpoint-url", stack.dynamodb);
  await page.getByText("No matching wallets.").waitFor();
  await open(page, "albert");
  await page.getByText("Operators: 2 actions").waitFor();
  assert.equal(await page.getByText("frozen by operator").count(), 0);
  await leave();
});

test("barred wallet is shown without naming a culprit", async () => {
  const { page, leave } = await visit(browser, stack.url);
  await page.route("**/console/data/wallets?*", async (route) => {
    const response = await route.fetch();
    const body = await response.json();
    for (const wallet of body.wallets) wallet.frozen = true;
    await route.fulfill({ response, json: body });
  });
  await open(page, "bob");
  await page.getByText("barred", { exact: true }).waitFor();
  const text = await main(page).textContent();
  assert.match(text, /The record does not say why/);
  assert.doesNotMatch(text, /cheat/);
  await leave();
});

test("overdue work is shown as due, not as done", async () => {
  const { page, leave } = await visit(browser, stack.url);
  // The response is half a year ahead of the jobs, which did not run.
  await page.route("**/console/data/*", async (route) => {
    const response = await route.fetch();
    const body = await response.json();
    body.now += 175 * DAY;
    await route.fulfill({ response, json: body });
  });
  await open(page, "alice");
  await page.getByText(/next refresh due for \d+ d/).waitFor();
  for (const exchange of ["Aster", "Hyperliquid"]) {
    await card(page, exchange).getByText(/with the exchange due for 174 d/).waitFor();
    await card(page, exchange).getByText(/renewal due for \d+ d/).waitFor();
  }
  assert.doesNotMatch(await main(page).textContent(), / ago|refreshed|compared|renewed/i);
  await page.goto(`${stack.url}/#/renewals`);
  await page.getByRole("cell", { name: /^renewal due for/ }).first().waitFor();
  assert.doesNotMatch(await page.locator("table").textContent(), / ago|renewed/);
  await leave();
});

test("pending key has no bar and no expiry", async () => {
  // An exchange that accepts requests and drops the connection, so the outcome is unknown.
  const dropping = createServer((request) => { request.resume(); request.on("end", () => request.socket.destroy()); });
  await new Promise((resolve) => dropping.listen(0, "127.0.0.1", resolve));
  const half = await start("--hyperliquid-url", `http://127.0.0.1:${dropping.address().port}`);
  try {
    await api(half, "POST", "wallets", { userId: "carol" });
    const registered = await api(half, "POST", "trading/hyperliquid/apikey", { walletIdOrAddress: "carol" });
    assert.ok(registered.status >= 500, String(registered.status));
    const { page, leave } = await visit(browser, half.url);
    await page.getByRole("row", { name: /carol/ }).getByText("pending").waitFor();
    assert.doesNotMatch(await page.locator("tbody").textContent(), /in \d+ d/);
    await page.getByRole("link", { name: "carol" }).click();
    const hyperliquid = card(page, "Hyperliquid");
    await hyperliquid.getByText("It is not known whether Hyperliquid has approved this key.").waitFor();
    assert.equal(await hyperliquid.locator(".bar").count(), 0);
    assert.doesNotMatch(await hyperliquid.textContent(), /Expires/);
    await shoot(page, "pending", { fullPage: true });
    await leave();
  } finally {
    await half.stop();
    dropping.close();
  }
});

test("each signature is one row with its user's name", async () => {
  const { page, leave } = await visit(browser, stack.url);
  await page.goto(`${stack.url}/#/decisions`);
  const rows = page.locator(".feed li");
  await rows.first().waitFor();
  const all = await rows.allTextContents();
  // Three keys were made. Two approvals and one message were signed.
  assert.equal(all.filter((row) => row.includes("key made")).length, 3, all.join("\n"));
  assert.equal(all.filter((row) => row.includes("signed")).length, 3, all.join("\n"));
  assert.equal(all.filter((row) => row.includes("allowed")).length, 0, all.join("\n"));
  assert.equal(all.filter((row) => /alice: a message of 5 bytes/.test(row) && /records \d+ and \d+/.test(row)).length, 1);
  for (const user of ["alice", "albert", "bob"]) assert.ok(all.some((row) => row.includes(user)), user);
  assert.equal(all.some((row) => /wallet [0-9a-f]{8}/.test(row)), false, "a wallet must be shown by its user id");
  // Each time includes its date.
  for (const row of all) assert.match(row, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/);
  await leave();
});

test("times are shown in UTC on request", async () => {
  const { page, leave } = await visit(browser, stack.url, { timezoneId: "Asia/Tokyo" });
  await page.getByRole("link", { name: "alice" }).waitFor();
  const made = page.locator("tbody tr", { hasText: "alice" }).locator("[data-label=Created] time");
  const local = await made.textContent(), iso = await made.getAttribute("datetime");
  assert.match(local, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/);
  assert.equal(new Date(`${local.replace(" ", "T")}+09:00`).toISOString().slice(0, 19), iso.slice(0, 19));
  const utc = `${iso.slice(0, 19).replace("T", " ")} UTC`;
  assert.equal(await made.getAttribute("title"), utc);
  await page.getByLabel("Times").selectOption("utc");
  assert.equal(await made.textContent(), utc);
  await page.reload();
  await page.getByRole("link", { name: "alice" }).waitFor();
  assert.equal(await made.textContent(), utc);
  await leave();
});

test("wallets are found by prefix and by state", async () => {
  const { page, leave } = await visit(browser, stack.url);
  const users = async (...expected) => {
    const names = JSON.stringify(expected.sort());
    await page.waitForFunction((names) => JSON.stringify([...document.querySelectorAll("tbody th a")].map((link) => link.textContent).sort()) === names, names);
  };
  await users("albert", "alice", "bob");
  const search = page.getByRole("searchbox"), state = page.getByLabel("State of the trading keys");
  await search.fill("AL");
  await users("albert", "alice");
  await state.selectOption("active");
  await users("alice");
  await state.selectOption("none");
  await users("albert");
  await search.fill("");
  await users("albert", "bob");
  await state.selectOption("pending");
  await page.getByText("No matching wallets.").waitFor();
  await state.selectOption("");
  await search.fill((await id("bob")).slice(0, 6));
  await users("bob");
  // Enter opens the only wallet with this prefix.
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "bob" }).waitFor();
  await page.goto(`${stack.url}/#/wallets`);
  await search.fill("al");
  await page.keyboard.press("Enter");
  await users("albert", "alice");
  assert.equal(await page.getByRole("alert").count(), 0);
  await leave(REFUSED);
});

test("no word is broken at 1280 and 390 px", async () => {
  for (const viewport of [{ width: 1280, height: 800 }, { width: 390, height: 800 }]) {
    const { page, leave } = await visit(browser, stack.url, { viewport });
    const wallet = `wallets/${await id("alice")}`;
    for (const [view, there] of [["overview", "Trading keys by state"], ["trading", "Orders per minute"], [wallet.replace("wallets", "trading"), "Open orders"], ["metrics", "API requests"], ["webhooks", "No webhooks yet"], ["wallets", "alice"], [wallet, "On the exchange"], ["renewals", "alice"], ["decisions", "signed"], ["exchanges", "exchangeStatus"]]) {
      for (const zone of ["local", "utc"]) {
        await page.goto(`${stack.url}/#/${view}`);
        await page.getByLabel("Times").selectOption(zone);
        await main(page).getByText(there).first().waitFor();
        const broken = await page.evaluate(brokenWords);
        assert.deepEqual(broken, [], `${view} at ${viewport.width} px, ${zone}`);
        const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(over <= 0, `${view} is ${over} px wider than ${viewport.width} px`);
      }
      await shoot(page, `${view.split("/").join("-").slice(0, 16)}-${viewport.width}`, { fullPage: true });
    }
    await leave();
  }
});

/** Returns the words that are broken across lines. Hashes and addresses do not count. */
function brokenWords() {
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const broken = [];
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    // Hidden elements do not count either. On a phone the table head is one pixel wide.
    if (node.parentElement.closest("code, pre, .hidden, script, noscript") || node.parentElement.closest("thead")?.offsetWidth === 1) continue;
    for (const { 0: word, index } of node.data.matchAll(/[^\s\-–·]+/g)) {
      const range = document.createRange();
      range.setStart(node, index);
      range.setEnd(node, index + word.length);
      const lines = new Set([...range.getClientRects()].filter(({ width }) => width > 0).map(({ top }) => Math.round(top)));
      if (lines.size > 1) broken.push(word);
    }
  }
  return broken;
}

test("feed shows disconnected after the stack stops", async () => {
  const short = await start();
  const { page, leave } = await visit(browser, short.url);
  await page.goto(`${short.url}/#/decisions`);
  const live = page.locator("#live");
  await page.waitForFunction(() => document.getElementById("live")?.textContent === "live");
  await page.getByLabel("Stop the feed").check();
  assert.equal(await live.textContent(), "stopped");
  await page.getByLabel("Stop the feed").uncheck();
  assert.equal(await live.textContent(), "live");
  await short.stop();
  await page.waitForFunction(() => document.getElementById("live").textContent === "disconnected");
  // The state of the stack has its own interval.
  await page.waitForFunction(() => document.getElementById("stack").textContent === "disconnected");
  await page.getByRole("alert").getByText("UNREACHABLE").waitFor();
  await shoot(page, "disconnected");
  await leave(REFUSED);
});

test("pause of an exchange shows its cause", async () => {
  for (const [asked, blocked, words] of [[true, false, "because the exchange asked for it"], [false, true, "because the exchange's edge blocks this address"], [false, false, "because requests kept failing"]]) {
    const { page, leave } = await visit(browser, stack.url);
    await page.route("**/console/data/exchanges", async (route) => {
      const response = await route.fetch();
      const body = await response.json();
      for (const one of body.exchanges) Object.assign(one, { pausedUntil: body.now + DAY, pauseAskedFor: asked, pauseBlocked: blocked });
      await route.fulfill({ response, json: body });
    });
    await page.goto(`${stack.url}/#/exchanges`);
    await page.getByText(words).first().waitFor();
    await leave();
  }
});
