// Tests the payment policy in the console, with WebAuthn approvals of a virtual authenticator.

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
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

/** Makes a WebAuthn key on the page, and returns the entry of its approver. */
async function enrolled(page, id) {
  await page.getByRole("button", { name: "Make a WebAuthn key" }).click();
  await dialog(page).getByLabel("Approver's id").fill(id);
  await dialog(page).getByRole("button", { name: "Make the key" }).click();
  const entry = JSON.parse(await dialog(page).locator(".copyable code").textContent());
  await dialog(page).getByRole("button", { name: "Close" }).click();
  return entry;
}

// The browser advises RSA as well. The cosigner verifies P-256 only.
const ADVICE = /publicKey\.pubKeyCredParams is missing at least one of the default algorithm identifiers/;

test("WebAuthn key approves what the approver types, and cancels", async () => {
  const { page, leave } = await visit(browser, url, { first: `${url}/#/payments` });
  await authenticator(page);
  await part(page, "Pending changes").getByText("No pending changes.").waitFor();
  await part(page, "Approvers").getByText("1 of 1 must sign.").waitFor();
  await accessible(page, "the payment policy");

  // The key is made in the authenticator. The present approver adds it to the authority.
  const alice = await enrolled(page, "alice");
  assert.deepEqual(alice.webauthn, { origin: url, rpId: "localhost" });
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
  await leave(ADVICE);
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

test("WebAuthn key approves a payment that the approver types", async () => {
  const paying = await start("--payment-delay-seconds", "0", "--hyperliquid-weight-per-minute", "100000");
  const there = paying.url.replace("127.0.0.1", "localhost");
  const own = ["--key", join(paying.data, "approver-key.pem")];
  const { body: wallet } = await api(paying, "POST", "wallets", { userId: "alice" });
  await fund(paying, wallet.address);
  const { page, leave } = await visit(browser, there, { first: `${there}/#/payments` });
  await authenticator(page);
  await part(page, "Approvers").getByText("1 of 1 must sign.").waitFor();

  // Without a WebAuthn key, the dialog names the command.
  await page.getByRole("button", { name: "Approve a payment" }).click();
  assert.match(await dialog(page).getByLabel("Command").textContent(), /hyperdex policy approve-payment/);
  assert.equal(await dialog(page).getByRole("button", { name: "Sign" }).count(), 0);
  await dialog(page).getByRole("button", { name: "Close" }).click();

  const alice = await enrolled(page, "alice");
  const { authority: { approvers: [local] }, chainId } = (await api(paying, "GET", "policy")).body.data;
  const file = join(paying.data, "authority.json");
  await writeFile(file, JSON.stringify({ threshold: 2, approvers: [local, alice] }));
  await run(paying.data, "policy", "propose", ...PAYEE, ...own);
  await run(paying.data, "policy", "propose", "set-limit", "--asset", "hyperliquid/USDC", "--wallet", "1000:10", "--total", "1000:10", "--approve-above", "40", ...own);
  await run(paying.data, "policy", "propose", "set-authority", "--authority", file, ...own);
  await part(page, "Approvers").getByText("2 of 2 must sign.").waitFor();

  const request = { walletIdOrAddress: "alice", destination: TREASURY, amount: "50" };
  const asked = await send(paying, request);
  assert.deepEqual([asked.status, asked.body.code], [409, "APPROVAL_REQUIRED"]);
  const { text, paymentId, notAfter } = asked.body.data;
  const token = /"token":"(USDC:0x[0-9a-f]{32})"/.exec(text)[1];
  const payment = { HyperliquidSendAsset: { destination: TREASURY, token, amount: "50", source: "", target: "", standard: false } };

  // One approver signs with the command, and the other on the page.
  const typed = join(paying.data, "payment.json");
  await writeFile(typed, JSON.stringify(payment));
  const first = JSON.parse(await run(paying.data, "policy", "approve-payment", wallet.walletId, paymentId, "--payment", typed, "--not-after", String(notAfter), ...own));
  assert.equal((await send(paying, { ...request, approvals: [first] })).status, 409);

  await page.getByRole("button", { name: "Approve a payment" }).click();
  const shown = dialog(page).getByLabel("Text to sign");
  assert.equal(await shown.textContent(), "Complete the fields to see the text.");
  const lines = { chainId: "c0ffee", tenant: "local", walletId: wallet.walletId.toUpperCase(), paymentId, notAfter };
  for (const [name, value] of Object.entries(lines)) await type(page, name, value);
  await type(page, "payment", payment);
  await dialog(page).getByRole("textbox", { name: "Destination" }).fill(TREASURY.toUpperCase().replace("0X", "0x"));
  await dialog(page).getByRole("textbox", { name: "Amount" }).fill("50.0");
  assert.match(await shown.textContent(), /Amount: expected a decimal number such as 12\.5/);
  await dialog(page).getByRole("button", { name: "Sign" }).click();
  assert.equal(await dialog(page).locator(".result").textContent(), "");
  await dialog(page).getByRole("textbox", { name: "Amount" }).fill("50");
  await accessible(page, "the dialog of a payment");
  await shoot(page, "payment-approval");
  await dialog(page).getByRole("button", { name: "Sign" }).click();
  await dialog(page).getByText("Nothing was signed: this stack has another policy chain than the one that you typed.").waitFor();
  await type(page, "chainId", chainId);
  await type(page, "tenant", "acme");
  await dialog(page).getByRole("button", { name: "Sign" }).click();
  await dialog(page).getByText("Nothing was signed: this page belongs to another tenant than the one that you typed.").waitFor();
  await type(page, "tenant", "local");
  await type(page, "notAfter", 1_000);
  await dialog(page).getByRole("button", { name: "Sign" }).click();
  await dialog(page).getByText("Nothing was signed: the time until which the approval counts is in the past.").waitFor();
  await type(page, "notAfter", notAfter);
  assert.equal(await shown.textContent(), text);
  await dialog(page).getByRole("button", { name: "Sign" }).click();
  await dialog(page).getByText("Signed.").waitFor();
  await accessible(page, "the approval of a payment");
  await shootAll(page, "payment-approved");
  const second = JSON.parse(await dialog(page).locator(".copyable code").textContent());
  assert.deepEqual([second.approver, Object.keys(second.signature)], ["alice", ["webAuthn"]]);
  await dialog(page).getByRole("button", { name: "Copy approval" }).click();
  assert.deepEqual(JSON.parse(await page.evaluate(() => navigator.clipboard.readText())), second);
  await dialog(page).getByRole("button", { name: "Close" }).click();

  assert.equal((await send(paying, { ...request, approvals: [second] })).status, 409);
  const paid = await send(paying, { ...request, approvals: [first, second] });
  assert.ok([200, 202].includes(paid.status), JSON.stringify(paid));
  assert.equal(paid.body.data.transferId, paymentId);
  await leave(ADVICE);
  await paying.stop();
});

test("page builds the text of the command for every kind of payment", async () => {
  const other = await start("--payment-delay-seconds", "0");
  const there = other.url.replace("127.0.0.1", "localhost");
  const { page, leave } = await visit(browser, there, { first: `${there}/#/payments` });
  await authenticator(page);
  const alice = await enrolled(page, "alice");
  const { authority: { approvers: [local] }, chainId } = (await api(other, "GET", "policy")).body.data;
  const file = join(other.data, "authority.json"), typed = join(other.data, "payment.json"), text = join(other.data, "text");
  await writeFile(file, JSON.stringify({ threshold: 1, approvers: [local, alice] }));
  await run(other.data, "policy", "propose", "set-authority", "--authority", file, "--key", join(other.data, "approver-key.pem"));
  await part(page, "Approvers").getByText("1 of 2 must sign.").waitFor();

  // The samples of the guide, and the other variants.
  const guide = await readFile(new URL("../../docs/guides/payments.md", import.meta.url), "utf8");
  const samples = [...guide.matchAll(/^```json\n(\{\n {2}"[A-Z][^`]*)^```$/gm)].map(([, json]) => JSON.parse(json));
  assert.deepEqual(samples.map((payment) => Object.keys(payment)[0]).toSorted(), ["AsterWithdraw", "EvmTokenTransfer", "HyperliquidMoveOwn", "HyperliquidSendAsset", "HyperliquidWithdraw"]);
  const [withdrawal, , , , transfer] = samples.map((payment) => Object.values(payment)[0]);
  // The largest numbers of the fields, of which a JavaScript number would lose digits.
  const most = (2n ** 64n - 1n).toString();
  const more = [
    { HyperliquidWithdraw: { ...withdrawal, route: "bridge" } },
    { HyperliquidWithdraw: { ...withdrawal, route: { cctp: { domain: 4294967295, gasLimit: most, source: "" } } } },
    { HyperliquidSendAsset: { ...samples[1].HyperliquidSendAsset, source: "xyz", standard: true } },
    { HyperliquidMoveOwn: { ...samples[2].HyperliquidMoveOwn, standard: true } },
    { EvmTokenTransfer: { ...transfer, token: "native", amount: "0.000000000000000001", fee: { legacy: { gasPrice: most } }, accountNonce: most } },
  ];
  const [wallet, id, notAfter] = ["5b0e8c1e-6f4f-4c5e-9a53-0f6f1f6b7f10", "p-1.A_z", "1990000000"];
  await page.getByRole("button", { name: "Approve a payment" }).click();
  for (const [name, value] of Object.entries({ chainId, tenant: "local", walletId: wallet, paymentId: id, notAfter })) await type(page, name, value);
  for (const payment of [...samples, ...more]) {
    await writeFile(typed, JSON.stringify(payment).replaceAll(`"${most}"`, most));
    await run(other.data, "policy", "approve-payment", wallet, id, "--payment", typed, "--not-after", notAfter, "--text-file", text);
    await type(page, "payment", payment);
    assert.equal(await dialog(page).getByLabel("Text to sign").textContent(), await readFile(text, "utf8"));
  }
  await dialog(page).getByRole("textbox", { name: "Account's nonce" }).fill((2n ** 64n).toString());
  assert.match(await dialog(page).getByLabel("Text to sign").textContent(), /Account's nonce: expected a whole number from 0 to 18446744073709551615/);
  await leave(ADVICE);
  await other.stop();
});

test("payments are listed with their outcome, in pages, and exported", async () => {
  const paying = await start("--payment-delay-seconds", "0", "--hyperliquid-weight-per-minute", "100000");
  const own = ["--key", join(paying.data, "approver-key.pem")];
  const { body: wallet } = await api(paying, "POST", "wallets", { userId: "alice" });
  await fund(paying, wallet.address);
  await run(paying.data, "policy", "propose", ...PAYEE, ...own);
  await run(paying.data, "policy", "propose", "set-limit", "--asset", "hyperliquid/USDC", "--wallet", "10000:1000", "--total", "10000:1000", ...own);
  const pay = async (amount) => {
    const { status, body } = await send(paying, { walletIdOrAddress: "alice", destination: TREASURY, amount });
    assert.ok(status < 300, JSON.stringify(body));
    return body.data;
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

const PAYEE = ["add-destination", "--venue", "hyperliquid", "--address", TREASURY, "--asset", "hyperliquid/USDC", "--label", "Treasury"];

/** Adds money to both balances of a wallet at the exchange. */
async function fund({ parts }, account) {
  for (const pocket of ["", "spot"]) {
    const deposit = { account, pocket, amount: "100000" };
    const made = await fetch(`${parts.Hyperliquid}/_sim/deposit`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(deposit) });
    assert.ok(made.ok, await made.text());
  }
}

/** Sends a payment at Hyperliquid. A busy machine may need the retry that the response advises. */
async function send({ url: to }, body) {
  const headers = { "content-type": "application/json", "x-api-key": "any", "idempotency-key": `pay-${body.amount}` };
  let answer;
  for (let tries = 0; tries < 5; tries += 1) {
    const response = await fetch(`${to}/api/trading/hyperliquid/transfer`, { method: "POST", headers, body: JSON.stringify(body) });
    answer = { status: response.status, body: await response.json() };
    if (answer.status < 500 && answer.body.code !== "PAYMENT_IN_PROGRESS") break;
    await wait((answer.body.retryAfterSeconds ?? 1) * 1_000);
  }
  return answer;
}

/** Types a value into the dialog of a payment: a variant is chosen, and its fields are typed. */
async function type(page, place, value) {
  const input = page.locator(`#field-${place}`);
  const isChoice = await input.evaluate(({ tagName }) => tagName === "SELECT");
  if (typeof value === "object") {
    const [[variant, fields]] = Object.entries(value);
    await input.selectOption(variant);
    for (const [name, one] of Object.entries(fields)) await type(page, `${place}-${variant}-${name}`, one);
  } else if (isChoice) {
    const texts = { "": "perp", false: "sendAsset", true: place.includes("MoveOwn") ? "usdClassTransfer" : "usdSend" };
    await input.selectOption(texts[value] ?? value);
  } else {
    await input.fill(value === "" ? "perp" : String(value));
  }
}

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
