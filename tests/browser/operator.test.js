// Tests the read-only console of a deployment in a real browser, with the tables of a local stack.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { accessible, launch, shoot, visit } from "./browser.js";
import { operate, start } from "./stack.js";

const REFUSED = /Failed to load resource: the server responded with a status of (401|403|502)/;

let browser, stack, operator;
before(async () => {
  stack = await start();
  for (const [path, body] of [
    ["wallets", { userId: "alice" }], ["wallets", { userId: "bob" }],
    ["trading/aster/apikey", { walletIdOrAddress: "alice" }], ["trading/hyperliquid/apikey", { walletIdOrAddress: "alice" }],
  ]) {
    const headers = { "content-type": "application/json", "x-api-key": "any" };
    const made = await fetch(`${stack.url}/api/${path}`, { method: "POST", headers, body: JSON.stringify(body) });
    assert.ok(made.ok, path);
  }
  // No CloudWatch exists for this service name, so the tables are readable and the metrics are not.
  operator = await operate(stack, "--stack", "prod");
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await operator?.stop();
  await stack?.stop();
});

/** Checks that nothing on the page changes data. */
async function assertReadOnly(page) {
  const names = await page.getByRole("main").getByRole("button").evaluateAll((buttons) => buttons.map((button) => button.getAttribute("aria-label") ?? button.textContent));
  const others = names.filter((name) => !/^(Copy .*|Find|Open|Back|Next|Earlier decisions|Verify the audit log|Export .* as CSV)$/.test(name));
  assert.deepEqual(others, []);
  assert.equal(await page.getByRole("button", { name: "Tenant key" }).count(), 0);
  assert.equal(await page.getByRole("navigation").getByRole("link", { name: "API", exact: true }).count(), 0);
}

test("operator console shows wallets and decisions read-only", async () => {
  const { page, leave } = await visit(browser, operator.url, { first: operator.address });
  await page.getByText("prod, tenant local, read only").waitFor();
  // The console opens with the overview. CloudWatch does not exist here, and the page states that.
  await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
  await page.getByText("Cannot read the metrics").waitFor();
  await page.getByText("All 2 wallets of the tenant.").waitFor();
  await assertReadOnly(page);
  await accessible(page, "the overview");
  await page.getByRole("link", { name: "Wallets", exact: true }).first().click();
  const token = operator.address.split("#token=")[1];
  assert.equal(page.url().includes(token), false, "the address must not contain the token");
  await page.getByRole("link", { name: "bob" }).waitFor();
  await assertReadOnly(page);
  await accessible(page, "wallets");
  await shoot(page, "operator-wallets");

  const alice = await (await fetch(`${stack.url}/api/wallets/alice`, { headers: { "x-api-key": "any" } })).json();
  for (const name of ["alice", alice.walletId, alice.address]) {
    await page.getByRole("searchbox").fill(name);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: "alice" }).waitFor();
    await page.getByRole("link", { name: "Wallets", exact: true }).first().click();
  }
  await page.getByRole("searchbox").fill("carol");
  await page.keyboard.press("Enter");
  await page.getByRole("alert").getByText("WALLET_NOT_FOUND").waitFor();
  await assertReadOnly(page);
  await page.getByRole("searchbox").fill("");

  await page.getByRole("link", { name: "alice" }).click();
  for (const exchange of ["Aster", "Hyperliquid"]) {
    const card = page.getByRole("region", { name: exchange, exact: true });
    await card.getByText("active", { exact: true }).waitFor();
    await card.getByText(/^in 179 d/).first().waitFor();
  }
  await page.getByText(/Hyperliquid: approve agent hdx/).first().waitFor();
  await assertReadOnly(page);
  await accessible(page, "a wallet");
  await shoot(page, "operator-wallet", { fullPage: true });

  await page.getByRole("link", { name: "Decisions" }).click();
  await page.getByText(/^\d+ decisions, 0 refused$/).waitFor();
  await assertReadOnly(page);
  await page.getByRole("button", { name: "Verify the audit log" }).click();
  await page.getByText(/^2 wallets, \d+ records, 0 faults$/).waitFor();
  await page.getByText("The seals were not verified").waitFor();
  await page.getByText("seals not verified", { exact: true }).waitFor();
  await page.getByRole("link", { name: "Trading" }).click();
  await page.getByRole("row", { name: /Maximum order value/ }).getByText("1000000").waitFor();
  await page.getByRole("searchbox").fill("alice");
  await page.keyboard.press("Enter");
  await page.getByText("Trading policy of this wallet").waitFor();
  await assertReadOnly(page);
  await page.getByRole("link", { name: "Webhooks" }).click();
  await page.getByText("This tenant has no webhooks.").waitFor();
  await assertReadOnly(page);
  await page.getByRole("link", { name: "Renewals" }).click();
  await page.getByRole("cell", { name: /^renewal in/ }).first().waitFor();
  await page.getByRole("link", { name: "Exchanges" }).click();
  await page.getByText(/of 1920/).waitFor();
  await assertReadOnly(page);
  await accessible(page, "exchanges");
  await leave(REFUSED);
});

test("operator console shows metrics, or an error without CloudWatch", async () => {
  const { page, leave } = await visit(browser, operator.url, { first: operator.address });
  await page.getByText("read only").waitFor();
  await page.getByRole("link", { name: "Metrics" }).click();
  await page.getByRole("alert").getByText("CLOUDWATCH", { exact: true }).waitFor();
  // A response of CloudWatch. Its source is in infra/cli/tests/operator.rs.
  const now = Date.now(), from = now - 6 * 3_600_000;
  const series = (metric, unit, stat, exchange, points) => ({ metric, unit, stat, exchange, points });
  await page.route("**/console/data/metrics", (route) => route.fulfill({ json: {
    now, from, periodS: 300,
    series: [
      series("Registrations", "Count", "Sum", "aster", [[from + 300_000, 2], [now - 300_000, 3]]),
      series("CredentialDrift", "Count", "Sum", null, [[now - 600_000, 1]]),
      series("SigningMs", "Milliseconds", "p99", null, []),
    ],
    refusals: [], alarms: [{ name: "prod-Drift", description: "<b>differs</b>. docs/guides/operations.md#credentialdrift", since: now - 60_000 }],
  } }));
  await page.getByRole("link", { name: "Wallets", exact: true }).first().click();
  await page.getByRole("link", { name: "Metrics" }).click();
  await page.getByRole("region", { name: "Registrations, Aster", exact: true }).getByText("5", { exact: true }).waitFor();
  await page.getByRole("region", { name: "Credential drift" }).getByText("check").waitFor();
  await page.getByRole("region", { name: "Signing" }).getByText("no data").waitFor();
  await page.getByText("<b>differs</b>").waitFor();
  await accessible(page, "metrics");
  await shoot(page, "operator-metrics");
  // The overview shows the alarm first, and charts of the deployment.
  await page.getByRole("link", { name: "Overview" }).click();
  await page.getByText("1 item requires attention").waitFor();
  await page.getByText("Alarm prod-Drift").waitFor();
  await page.getByRole("region", { name: "Registrations, Aster", exact: true }).getByText("5", { exact: true }).waitFor();
  await page.getByText("The whole deployment, all tenants").waitFor();
  await accessible(page, "the overview of a deployment");
  await shoot(page, "operator-overview", { fullPage: true });
  await leave(REFUSED);
});

test("operator console without the token shows nothing", async () => {
  const { page, leave } = await visit(browser, operator.url);
  await page.getByText("token required").waitFor();
  await page.getByRole("alert").getByText("Missing token").waitFor();
  assert.equal(await page.getByText("alice").count(), 0);
  // The token may be provided later.
  await page.goto(operator.address);
  await page.getByRole("link", { name: "Wallets", exact: true }).first().click();
  await page.getByRole("link", { name: "alice" }).waitFor();
  await leave(REFUSED);
});
