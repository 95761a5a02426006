// Tests the overview, the verification of the audit log and the export of wallets.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { accessible, launch, saved, shoot, visit } from "./browser.js";
import { api, run, start } from "./stack.js";

const REFUSED = /Failed to load resource: the server responded with a status of (404|422)/;
const SIZES = [["1280", { width: 1280, height: 860 }], ["390", { width: 390, height: 844 }]];

let browser, stack;
before(async () => {
  stack = await start();
  for (const userId of ["alice", "bob"]) assert.equal((await api(stack, "POST", "wallets", { userId })).status, 201);
  for (const exchange of ["aster", "hyperliquid"]) {
    assert.equal((await api(stack, "POST", `trading/${exchange}/apikey`, { walletIdOrAddress: "alice" })).status, 200);
  }
  const order = { walletIdOrAddress: "alice", symbol: "BTC", side: "BUY", type: "LIMIT", quantity: "0.01", price: "20000" };
  assert.equal((await api(stack, "POST", "trading/hyperliquid/orders", order)).status, 200);
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await stack?.stop();
});

/** Takes screenshots in both colours and sizes, and checks the width and the accessibility. */
async function shootAll(page, name) {
  for (const [place, viewport] of SIZES) {
    await page.setViewportSize(viewport);
    const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(over <= 0, `${name} is ${over} px wider than ${place}`);
    for (const colours of ["light", "dark"]) {
      await page.getByLabel("Colours").selectOption(colours);
      await accessible(page, `${name}, ${colours}, ${place}`);
      await shoot(page, `${name}-${colours}-${place}`, { fullPage: true });
    }
  }
}

test("overview of a healthy stack finds nothing and shows its activity", async () => {
  const { page, leave } = await visit(browser, stack.url, { first: stack.url });
  await page.getByRole("heading", { level: 2, name: "Nothing requires attention" }).waitFor();
  const tally = (state) => page.locator(".tallies div", { hasText: state }).locator("dd");
  assert.equal(await tally("active").textContent(), "2");
  assert.equal(await tally("without a key").textContent(), "1");
  await page.getByText("All 2 wallets of the tenant.").waitFor();
  for (const [name, value] of [["Registrations, Aster", "1"], ["Registrations, Hyperliquid", "1"], ["Orders placed, Hyperliquid", "1"], ["Orders refused, Hyperliquid", "0"], ["API errors 5xx", "0"]]) {
    assert.equal(await page.getByRole("region", { name, exact: true }).locator("strong").textContent(), value, name);
  }
  assert.match(await page.getByRole("region", { name: "API latency" }).locator("strong").textContent(), /^\d+ ms$/);
  await page.getByText("No refusals.").waitFor();
  await shootAll(page, "overview");
  await leave();
});

test("overview lists what is wrong first, with links", async () => {
  // An exchange that drops every connection: the registration stays pending.
  const dropping = createServer((request) => { request.resume(); request.on("end", () => request.socket.destroy()); });
  await new Promise((resolve) => dropping.listen(0, "127.0.0.1", resolve));
  const sick = await start("--hyperliquid-url", `http://127.0.0.1:${dropping.address().port}`);
  try {
    for (const userId of ["carol", "dave"]) await api(sick, "POST", "wallets", { userId });
    assert.ok((await api(sick, "POST", "trading/hyperliquid/apikey", { walletIdOrAddress: "carol" })).status >= 500);
    assert.equal((await api(sick, "GET", "wallets/nobody")).status, 404);
    await run(sick.data, "wallets", "freeze", "dave", "--reason", "a drill", "--endpoint-url", sick.dynamodb);
    const { page, leave } = await visit(browser, sick.url, { first: sick.url });
    await page.getByRole("heading", { level: 2, name: /^\d items require attention$/ }).waitFor();
    const problems = page.locator(".problems > li");
    const texts = await problems.allTextContents();
    for (const expected of [/Hyperliquid (does not respond|is paused|fails)/, /1 response with 5xx/, /1 registration is not complete/, /1 wallet frozen by an operator/]) {
      assert.ok(texts.some((text) => expected.test(text)), `${expected}: ${texts.join("\n")}`);
    }
    assert.match(texts[0], /^fix/, "what must be fixed comes first");
    assert.match(texts.at(-1), /^check/);
    // The refused request is listed with its code.
    await page.locator("li.refused", { hasText: "WALLET_NOT_FOUND" }).getByText("GET /api/wallets/nobody").waitFor();
    await shootAll(page, "overview-wrong");
    await page.locator(".problems").getByRole("link", { name: "Exchanges" }).click();
    await page.getByRole("heading", { level: 1, name: "Exchanges" }).waitFor();
    await leave(REFUSED);
  } finally {
    await sick.stop();
    dropping.close();
  }
});

test("overview shows orders of unknown outcome and expiring keys", async () => {
  const { page, leave } = await visit(browser, stack.url);
  const { body: { walletId } } = await api(stack, "GET", "wallets/alice");
  // Rust tests make such orders and keys, with a clock that they move. Here the response is changed.
  await page.route("**/console/data/overview", async (route) => {
    const response = await route.fetch();
    const body = await response.json();
    body.unknownOrders = { total: 1, more: true, first: [{ walletId, userId: "alice", exchange: "hyperliquid", clientOrderId: "<i>bot</i>", symbol: "BTC", since: body.now - 90_000 }] };
    body.expiring = { total: 1, first: [{ walletId, userId: "alice", exchange: "aster", expiresAt: body.now + 86_400_000, job: { does: "turned-off", at: null } }] };
    await route.fulfill({ response, json: body });
  });
  await page.getByRole("link", { name: "Overview" }).click();
  await page.getByText("3 items require attention").waitFor();
  await page.getByText("Not all orders of unknown outcome were read").waitFor();
  await page.getByText(/alice: Aster, in (1 d|23 h)/).waitFor();
  // Data is shown as text, whatever it contains.
  await page.getByRole("link", { name: /alice: <i>bot<\/i>, BTC on Hyperliquid, for 1 min/ }).click();
  await page.waitForURL(`**/#/trading/${walletId}/hyperliquid`);
  await leave();
});

test("change of the verdict is announced", async () => {
  const { page, leave } = await visit(browser, stack.url, { first: stack.url });
  let frozen = 0;
  await page.route("**/console/data/overview", async (route) => {
    const response = await route.fetch();
    const body = await response.json();
    body.wallets.frozenByOperator += frozen;
    await route.fulfill({ response, json: body });
  });
  await page.getByText("Nothing requires attention").waitFor();
  frozen = 1;
  await page.getByText("1 item requires attention").first().waitFor();
  assert.equal(await page.locator("#said").textContent(), "1 item requires attention");
  await leave();
});

test("button verifies the audit log and names a changed record", async () => {
  const { page, leave } = await visit(browser, stack.url, { first: `${stack.url}/#/decisions` });
  const button = page.getByRole("button", { name: "Verify the audit log" });
  await button.click();
  await page.getByText(/^2 wallets, \d+ records, 0 faults$/).waitFor();
  assert.equal(await page.locator("#said").textContent(), "The audit log is intact");
  await accessible(page, "a verified log");
  await shoot(page, "audit-intact");
  // Rust tests change records in the table. Here the response has the fault.
  await page.route("**/console/data/audit", async (route) => {
    const response = await route.fetch();
    const body = await response.json();
    body.faults = [{ walletId: "29dd4dc0-1ff9-4df6-a19f-936f997cbc5a", userId: "alice", fault: "record 2 was edited: its hash is another" }];
    await route.fulfill({ response, json: body });
  });
  await button.click();
  const alert = page.getByRole("alert");
  await alert.getByText(/1 fault$/).waitFor();
  await alert.getByText("record 2 was edited").waitFor();
  await accessible(page, "a damaged log");
  await shoot(page, "audit-damaged");
  await leave();
});

test("wallets are exported with their trading keys", async () => {
  const { page, leave } = await visit(browser, stack.url);
  await page.getByRole("link", { name: "alice" }).waitFor();
  // Uses pages of one wallet.
  await page.route("**/api/wallets?*", (route) => route.continue({ url: route.request().url().replace("limit=100", "limit=1") }));
  const button = page.getByRole("button", { name: "Export wallets as CSV" });
  const { name, text } = await saved(page, button);
  assert.equal(name, "wallets.csv");
  const [head, ...rows] = text.trimEnd().split("\r\n");
  assert.match(head, /^"userId","walletId","address","createdAt","frozen","exchange","state"/);
  assert.equal(rows.length, 3, text);
  assert.equal(rows.filter((row) => /^"alice",.*"(aster|hyperliquid)","active","0x[0-9a-fA-F]{40}","hdx/.test(row)).length, 2);
  assert.equal(rows.filter((row) => row.startsWith('"bob",')).length, 1);
  assert.equal(await page.locator("#said").textContent(), "Saved 3 rows as wallets.csv");
  await leave();
});
