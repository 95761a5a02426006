// Tests the payment policy in the console, with WebAuthn approvals of a virtual authenticator.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { accessible, launch, saved, shoot, visit } from "./browser.js";
import { api, operate, run, start } from "./stack.js";

const TREASURY = "0x173404aaaa4d6539e2c7dbcc1931cf41b3a3d5c7";
const ADD = ["add-destination", "--venue", "evm:56", "--address", TREASURY, "--asset", "evm:56/USDT", "--label", "Treasury"];

let browser, stack, url;
before(async () => {
  stack = await start("--payment-delay-seconds", "0");
  // A browser allows WebAuthn on localhost, not on an IP address.
  url = stack.url.replace("127.0.0.1", "localhost");
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await stack?.stop();
});

const key = () => ["--key", join(stack.data, "approver-key.pem")];
const policy = async () => (await api(stack, "GET", "policy")).body.data;
const part = (page, name) => page.getByRole("region", { name, exact: true });
const dialog = (page) => page.getByRole("dialog");

/** Adds an authenticator that confirms each request, as a person with a security key does. */
async function authenticator(page) {
  const session = await page.context().newCDPSession(page);
  await session.send("WebAuthn.enable");
  await session.send("WebAuthn.addVirtualAuthenticator", { options: {
    protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true,
  } });
}

test("WebAuthn key approves what the approver types, and cancels", async () => {
  const { page, leave } = await visit(browser, url, { first: `${url}/#/payments` });
  await authenticator(page);
  await part(page, "Pending changes").getByText("No pending changes.").waitFor();
  await part(page, "Approvers").getByText("1 of 1 must sign.").waitFor();
  await accessible(page, "the payment policy");

  // The key is made in the authenticator. The present approver adds it to the authority.
  await page.getByRole("button", { name: "Make a WebAuthn key" }).click();
  await dialog(page).getByLabel("Approver's id").fill("alice");
  await dialog(page).getByRole("button", { name: "Make the key" }).click();
  const alice = JSON.parse(await dialog(page).locator(".copyable code").textContent());
  assert.deepEqual(alice.webauthn, { origin: url, rpId: "localhost" });
  await dialog(page).getByRole("button", { name: "Close" }).click();
  const [local] = (await policy()).authority.approvers;
  const file = join(stack.data, "authority.json");
  await writeFile(file, JSON.stringify({ threshold: 2, approvers: [local, alice] }));
  assert.match(await run(stack.data, "policy", "propose", "set-authority", "--authority", file, ...key()), /change 1/);
  await part(page, "Approvers").getByText("2 of 2 must sign.").waitFor();

  // One approver signs with the command, and the other on the page.
  assert.match(await run(stack.data, "policy", "propose", ...ADD, ...key()), /needs approvals/);
  const pending = part(page, "Pending changes");
  await pending.getByText("Change 2: Add a destination.").waitFor();
  await accessible(page, "a pending change");
  await shoot(page, "payments");
  await pending.getByRole("button", { name: "Approve" }).click();
  const typed = { "destination address": TREASURY.replace("1734", "1735"), "destination assets (separated by commas)": "evm:56/USDT", "destination label": "Treasury", "destination venue": "evm:56" };
  await dialog(page).getByLabel("type", { exact: true }).selectOption("addDestination");
  for (const [label, value] of Object.entries(typed)) await dialog(page).getByLabel(label, { exact: true }).fill(value);
  await dialog(page).getByRole("button", { name: "Sign and send" }).click();
  await dialog(page).getByText("Nothing was signed: the pending change is not the one that you typed.").waitFor();
  await dialog(page).getByLabel("destination address", { exact: true }).fill(TREASURY);
  await accessible(page, "the dialog of an approval");
  await dialog(page).getByRole("button", { name: "Sign and send" }).click();
  await dialog(page).getByText("Done.").waitFor();
  await dialog(page).getByRole("button", { name: "Close" }).click();
  await part(page, "Destinations").getByText("Treasury").waitFor();
  assert.equal((await policy()).destinations[0].address.toLowerCase(), TREASURY);

  // The page cancels a change with one signature.
  await run(stack.data, "policy", "propose", "set-delay", "--delay", "2h", ...key());
  await pending.getByText("Change 4").waitFor();
  await pending.getByRole("button", { name: "Cancel the change" }).click();
  assert.match(await dialog(page).getByLabel("Text to sign").textContent(), /\{"seq":4,"type":"cancel"\}/);
  await dialog(page).getByRole("button", { name: "Sign and send" }).click();
  await dialog(page).getByText("Done.").waitFor();
  await dialog(page).getByRole("button", { name: "Close" }).click();
  await pending.getByText("No pending changes.").waitFor();
  assert.deepEqual((await policy()).pending, []);
  // The browser advises RSA as well. The cosigner verifies P-256 only.
  await leave(/publicKey\.pubKeyCredParams is missing at least one of the default algorithm identifiers/);
});

test("page without a WebAuthn key names the command", async () => {
  const other = await start();
  const { page, leave } = await visit(browser, other.url, { first: `${other.url}/#/payments` });
  await run(other.data, "policy", "propose", ...ADD, "--key", join(other.data, "approver-key.pem"));
  const pending = part(page, "Pending changes");
  await pending.getByText(/in \d+ s/).waitFor();
  await pending.getByRole("button", { name: "Cancel the change" }).click();
  assert.match(await dialog(page).getByLabel("Command").textContent(), /hyperdex policy cancel 1/);
  assert.equal(await dialog(page).getByRole("button", { name: "Sign and send" }).count(), 0);
  await leave();
  await other.stop();
});

test("payments are listed with their outcome, in pages, and exported", async () => {
  const paying = await start("--payment-delay-seconds", "0", "--hyperliquid-weight-per-minute", "100000");
  const own = ["--key", join(paying.data, "approver-key.pem")];
  const { body: wallet } = await api(paying, "POST", "wallets", { userId: "alice" });
  for (const pocket of ["", "spot"]) {
    const deposit = { account: wallet.address, pocket, amount: "100000" };
    const made = await fetch(`${paying.parts.Hyperliquid}/_sim/deposit`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(deposit) });
    assert.ok(made.ok, await made.text());
  }
  await run(paying.data, "policy", "propose", "add-destination", "--venue", "hyperliquid", "--address", TREASURY, "--asset", "hyperliquid/USDC", "--label", "Treasury", ...own);
  await run(paying.data, "policy", "propose", "set-limit", "--asset", "hyperliquid/USDC", "--wallet", "10000:1000", "--total", "10000:1000", ...own);
  const pay = async (amount) => {
    const headers = { "content-type": "application/json", "x-api-key": "any", "idempotency-key": `pay-${amount}` };
    const body = JSON.stringify({ walletIdOrAddress: "alice", destination: TREASURY, amount });
    let answer;
    // A busy machine may need the retry that the response advises.
    for (let tries = 0; tries < 5; tries += 1) {
      const response = await fetch(`${paying.url}/api/trading/hyperliquid/transfer`, { method: "POST", headers, body });
      answer = await response.json();
      if (response.ok) return answer.data;
      if (response.status < 500) break;
    }
    throw new Error(JSON.stringify(answer));
  };
  const [first] = [await pay("12.5"), await pay("7")];

  const { page, leave } = await visit(browser, paying.url, { first: `${paying.url}/#/payments` });
  const list = part(page, "Payments");
  const row = list.getByRole("row", { name: new RegExp(first.transferId.slice(0, 8)) });
  for (const text of ["alice", "send at Hyperliquid", "12.5 USDC", "completed"]) await row.getByText(text).first().waitFor();
  assert.equal(await list.locator("tbody tr").count(), 2);
  // The newest payment is the first.
  assert.match(await list.locator("tbody tr").first().textContent(), /7 USDC/);
  const file = await saved(page, list.getByRole("button", { name: "Export payments as CSV" }));
  assert.equal(file.name, "payments.csv");
  const lines = file.text.trim().split("\r\n");
  assert.equal(lines.length, 3);
  assert.match(lines[0], /^"paymentId","userId","walletId","kind","amount","asset","venue","destination","state","countedState","at"/);
  assert.ok(lines[2].includes(`"${first.transferId}","alice","${wallet.walletId}","HyperliquidSendAsset","12.5","USDC","hyperliquid"`), lines[2]);
  await shootAll(page, "payments-list");
  await leave();

  // The console of an operator shows the same, and changes nothing.
  const operator = await operate(paying, "--stack", "prod");
  const there = await visit(browser, operator.url, { first: operator.address });
  await there.page.getByText("prod, tenant local, read only").waitFor();
  await there.page.getByRole("link", { name: "Payments", exact: true }).click();
  await part(there.page, "Payments").getByText("12.5 USDC").waitFor();
  await there.page.getByText("hyperdex policy show").waitFor();
  assert.equal(await there.page.getByRole("button", { name: "Make a WebAuthn key" }).count(), 0);
  await accessible(there.page, "an operator's payments");
  // No CloudWatch answers here.
  await there.leave(/Failed to load resource: the server responded with a status of 502/);
  await operator.stop();

  // More payments than a page holds.
  for (let nth = 1; nth <= 24; nth += 1) await pay(String(nth + 100));
  const more = await visit(browser, paying.url, { first: `${paying.url}/#/payments` });
  const pages = part(more.page, "Payments");
  await pages.getByText("Page 1").waitFor();
  assert.equal(await pages.locator("tbody tr").count(), 25);
  await pages.getByRole("button", { name: "Next" }).click();
  await pages.getByText("Page 2").waitFor();
  await pages.getByText("12.5 USDC").waitFor();
  assert.equal(await pages.locator("tbody tr").count(), 1);
  await more.leave();
  await paying.stop();
});

/** Checks the width and the accessibility in both colours and sizes, and takes screenshots. */
async function shootAll(page, name) {
  for (const [place, viewport] of [["1280", { width: 1280, height: 860 }], ["390", { width: 390, height: 844 }]]) {
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
