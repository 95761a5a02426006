// Tests trading in the console, with the simulators of a local stack.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, test } from "node:test";
import { accessible, launch, saved, shoot, visit } from "./browser.js";
import { api, run, start } from "./stack.js";

const REFUSED = /Failed to load resource: the server responded with a status of (403|409|422)/;

let browser, stack, wallet;
before(async () => {
  await renew();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await stack?.stop();
});

/** Starts a new stack with a wallet. The reads of one test use much of a tenant's part of an exchange's budget. */
async function renew() {
  await stack?.stop();
  stack = await start();
  ({ body: wallet } = await api(stack, "POST", "wallets", { userId: "trader" }));
  for (const exchange of ["aster", "hyperliquid"]) {
    assert.equal((await api(stack, "POST", `trading/${exchange}/apikey`, { walletIdOrAddress: "trader" })).status, 200);
  }
}

const at = (exchange) => `${stack.url}/#/trading/${wallet.walletId}/${exchange}`;
const part = (page, name) => page.getByRole("region", { name, exact: true });
const opened = (page) => page.getByRole("dialog");
const shell = (command) => new Promise((resolve, reject) => execFile("sh", ["-c", `${command} -s`], (error, out) => (error ? reject(error) : resolve(out))));

/** Fills the fields of the open dialog by their labels. */
async function fillIn(page, values) {
  for (const [label, value] of Object.entries(values)) {
    const field = opened(page).getByLabel(label, { exact: true });
    if ((await field.evaluate((element) => element.tagName)) === "SELECT") await field.selectOption(value);
    else await field.fill(value);
  }
}

/** Sends the call of the open dialog, waits for its success and closes it. */
async function done(page, word) {
  await opened(page).getByRole("button", { name: word, exact: true }).click();
  await opened(page).getByText(/^Done: HTTP 20/).waitFor();
  const text = await opened(page).textContent();
  await opened(page).getByRole("button", { name: "Close", exact: true }).last().click();
  await opened(page).waitFor({ state: "detached" });
  return text;
}

for (const [exchange, name, symbol] of [["hyperliquid", "Hyperliquid", "BTC"], ["aster", "Aster", "BTCUSDT"]]) {
  test(`order on ${name} is placed, changed, read and cancelled`, async () => {
    const { page, leave } = await visit(browser, stack.url, { first: at(exchange) });
    const orders = part(page, "Open orders");
    await orders.getByText("No open orders.").waitFor();
    await page.getByRole("button", { name: "Place an order" }).click();
    await fillIn(page, { Symbol: symbol, Quantity: "0.01", Price: "20000", "clientOrderId (optional)": `bot-${exchange}` });
    const curl = await page.getByLabel("Equivalent curl command").textContent();
    assert.match(curl, new RegExp(`/api/trading/${exchange}/orders'`));
    assert.match(curl, /"symbol":"[A-Z]+","side":"BUY","type":"LIMIT","quantity":"0.01","price":"20000"/);
    assert.match(curl, /Idempotency-Key: console-[0-9a-f]{32}/);
    await accessible(page, "the dialog of an order");
    await done(page, "Place");
    const row = orders.getByRole("row", { name: new RegExp(symbol) });
    await row.getByText("OPEN", { exact: true }).waitFor();
    // The displayed command repeats the request, and does not place a second order.
    const repeated = JSON.parse(await shell(curl));
    assert.equal(repeated.data.clientOrderId, `bot-${exchange}`);
    await page.getByRole("button", { name: "Refresh open orders" }).click();
    assert.equal(await orders.getByRole("row", { name: new RegExp(symbol) }).count(), 1);

    await row.getByRole("button", { name: /^Change/ }).click();
    await fillIn(page, { Price: "21000" });
    assert.match(await page.getByLabel("Equivalent curl command").textContent(), /-X PUT/);
    await done(page, "Change");
    await row.getByText("21000").waitFor();

    await orders.getByRole("button", { name: "Read an order" }).click();
    await fillIn(page, { "orderId or clientOrderId": `bot-${exchange}` });
    assert.match(await done(page, "Read"), /OPEN/);

    const { name: file, text } = await saved(page, page.getByRole("button", { name: "Export open orders as CSV" }));
    assert.equal(file, `orders-trader-${exchange}.csv`);
    assert.match(text, new RegExp(`^"orderId","clientOrderId".*\r\n"\\d+","bot-${exchange}","${exchange}","${symbol}"`));

    await row.getByRole("button", { name: /^Cancel/ }).click();
    assert.match(await page.getByLabel("Equivalent curl command").textContent(), /-X DELETE/);
    assert.match(await done(page, "Cancel the order"), /CANCELED/);
    await orders.getByText("No open orders.").waitFor();
    await leave();
  });

  test(`position on ${name} is opened and closed`, async () => {
    await renew();
    const { page, leave } = await visit(browser, stack.url, { first: at(exchange) });
    const positions = part(page, "Positions");
    await positions.getByText("No positions.").waitFor();
    await part(page, "Balances").getByRole("row", { name: exchange === "aster" ? /USDT/ : /USDC/ }).first().waitFor();
    await positions.getByRole("button", { name: "Set the leverage of a market" }).click();
    await fillIn(page, { Symbol: symbol, Leverage: "5" });
    await done(page, "Set");
    await page.getByRole("button", { name: "Place an order" }).click();
    await fillIn(page, { Symbol: symbol, Type: "MARKET", Quantity: "0.02" });
    // A market order has no price.
    assert.equal(await opened(page).getByLabel("Price", { exact: true }).isVisible(), false);
    assert.doesNotMatch(await page.getByLabel("Equivalent curl command").textContent(), /"price"/);
    assert.match(await done(page, "Place"), /FILLED/);
    const row = positions.getByRole("row", { name: new RegExp(`${symbol}.*LONG`) });
    await row.getByText("0.02", { exact: true }).waitFor();
    await row.getByText("5×").waitFor();
    if (exchange === "aster") {
      await part(page, "Fills").getByText("Enter a symbol above").waitFor();
      await page.getByLabel("Symbol", { exact: true }).fill(symbol);
      await page.keyboard.press("Enter");
    }
    await part(page, "Fills").getByRole("row", { name: new RegExp(symbol) }).first().waitFor();
    const fills = await saved(page, page.getByRole("button", { name: "Export fills as CSV" }));
    assert.match(fills.text, new RegExp(`"${symbol}","BUY"`));
    await accessible(page, `trading on ${name}`);
    for (const [place, viewport] of [["1280", { width: 1280, height: 860 }], ["390", { width: 390, height: 844 }]]) {
      await page.setViewportSize(viewport);
      const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(over <= 0, `trading is ${over} px wider than ${place}`);
      for (const colours of ["light", "dark"]) {
        await page.getByLabel("Colours").selectOption(colours);
        await accessible(page, `trading on ${name}, ${colours}, ${place}`);
        await shoot(page, `trading-${exchange}-${colours}-${place}`, { fullPage: true });
      }
    }
    await page.setViewportSize({ width: 1280, height: 860 });
    await row.getByRole("button", { name: `Close the position LONG ${symbol}` }).click();
    await fillIn(page, { "Quantity (optional)": "0.01" });
    await done(page, "Close");
    await row.getByText("0.01", { exact: true }).waitFor();
    await row.getByRole("button", { name: `Close the position LONG ${symbol}` }).click();
    await done(page, "Close");
    await positions.getByText("No positions.").waitFor();
    await leave();
  });
}

test("tighter policy applies at once and refuses an order with its limit", async () => {
  const { page, leave } = await visit(browser, stack.url, { first: `${stack.url}/#/trading` });
  const row = (name) => page.getByRole("row", { name });
  await row(/Maximum order value/).getByText("1000000").waitFor();
  await page.getByRole("button", { name: "Change the policy" }).click();
  await fillIn(page, { "Maximum order value, dollars (optional)": "5000", "Symbols (optional)": "BTC, BTCUSDT" });
  const curl = await page.getByLabel("Equivalent curl command").textContent();
  assert.match(curl, /-X PUT/);
  assert.match(curl, /\{"symbols":\["BTC","BTCUSDT"\],"maxOrderNotional":"5000"\}/);
  assert.doesNotMatch(curl, /Idempotency-Key/, "the API has none for PUT");
  await done(page, "Change");
  await row(/Maximum order value/).getByText("5000").first().waitFor();

  await page.goto(at("hyperliquid"));
  await row(/Symbols/).getByText("BTC, BTCUSDT").first().waitFor();
  await page.getByRole("button", { name: "Place an order" }).click();
  await fillIn(page, { Symbol: "BTC", Quantity: "1", Price: "20000" });
  await opened(page).getByRole("button", { name: "Place", exact: true }).click();
  const alert = opened(page).getByRole("alert");
  await alert.getByText("POLICY_REFUSED", { exact: true }).waitFor();
  assert.match(await alert.textContent(), /reasonORDER_NOTIONALlimit5000/);
  await accessible(page, "a refused order");
  await opened(page).getByRole("button", { name: "Cancel", exact: true }).click();

  // A key without the scope admin cannot loosen the policy.
  await page.goto(`${stack.url}/#/trading`);
  await page.getByRole("button", { name: "Change the policy" }).click();
  await fillIn(page, { "Maximum order value, dollars (optional)": "9000" });
  await opened(page).getByRole("button", { name: "Change", exact: true }).click();
  await opened(page).getByRole("alert").getByText("SCOPE_MISSING").waitFor();
  await leave(REFUSED);
});

test("looser policy waits and is shown as pending", async () => {
  const locked = await start();
  try {
    const key = /hdxk[0-9a-f]{64}/.exec(await run(locked.data, "keys", "add", "desk-1", "--scopes", "read,trade,admin"))[0];
    const { page, leave } = await visit(browser, locked.url, { first: `${locked.url}/#/trading` });
    await page.getByRole("button", { name: "Tenant key" }).click();
    await page.getByLabel("X-API-KEY").fill(key);
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Change the policy" }).click();
    await fillIn(page, { "Orders per minute (optional)": "600" });
    await done(page, "Change");
    await page.getByText("A looser policy waits.").waitFor();
    await page.getByText("Orders per minute: 600").waitFor();
    await page.getByRole("row", { name: /Orders per minute/ }).getByText("300").waitFor();
    await accessible(page, "a pending policy");
    await shoot(page, "policy-pending", { fullPage: true });
    await leave(/status of (401|403)/);
  } finally {
    await locked.stop();
  }
});

test("wallet without a trading key shows how to get one", async () => {
  const { body: idle } = await api(stack, "POST", "wallets", { userId: "idle" });
  const { page, leave } = await visit(browser, stack.url, { first: `${stack.url}/#/trading` });
  await page.getByRole("searchbox").fill("idle");
  await page.keyboard.press("Enter");
  await page.getByText("This wallet has no active trading key on Hyperliquid.").waitFor();
  assert.equal(await page.getByRole("button", { name: "Place an order" }).count(), 0);
  await page.getByRole("link", { name: "Register one" }).click();
  await page.waitForURL(`**/#/wallets/${idle.walletId}`);
  await leave();
});
