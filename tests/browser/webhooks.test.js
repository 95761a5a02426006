// Tests the webhooks of the console with a receiver on loopback.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { accessible, launch, shoot, visit } from "./browser.js";
import { api, operate, start } from "./stack.js";

const REFUSED = /Failed to load resource: the server responded with a status of (400|404|422)/;

let browser, stack, receiver, url;
const received = [];
before(async () => {
  stack = await start();
  receiver = createServer((request, response) => {
    let body = "";
    request.on("data", (piece) => { body += piece; });
    request.on("end", () => {
      received.push({ path: request.url, headers: request.headers, body });
      response.statusCode = request.url === "/broken" ? 500 : 204;
      response.end();
    });
  });
  await new Promise((resolve) => receiver.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${receiver.address().port}`;
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await stack?.stop();
  receiver?.close();
});

const opened = (page) => page.getByRole("dialog");

async function sent(page, word) {
  await opened(page).getByRole("button", { name: word, exact: true }).click();
  await opened(page).getByText(/^Done: HTTP 20/).waitFor();
}

async function close(page) {
  await opened(page).getByRole("button", { name: "Close", exact: true }).click();
  await opened(page).waitFor({ state: "detached" });
}

/** Returns whether a request has the signature of the secret. */
function isSigned({ headers, body }, secret) {
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const signed = createHmac("sha256", key).update(`${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`).digest("base64");
  return headers["webhook-signature"].split(" ").includes(`v1,${signed}`);
}

test("webhook is created, tested, edited and deleted", async () => {
  const { page, leave } = await visit(browser, stack.url, { first: `${stack.url}/#/webhooks` });
  await page.getByText("No webhooks yet").waitFor();
  await page.getByRole("button", { name: "Create a webhook" }).click();
  await opened(page).getByLabel("URL", { exact: true }).fill(`${url}/in`);
  // All types are selected, so the request leaves them out.
  assert.match(await page.getByLabel("Equivalent curl command").textContent(), new RegExp(`-d '\\{"url":"${url}/in"\\}'`));
  await opened(page).getByLabel("credential.drift").uncheck();
  assert.match(await page.getByLabel("Equivalent curl command").textContent(), /"events":\["wallet.created"/);
  await accessible(page, "the dialog of a webhook");
  await sent(page, "Create");
  // The secret is masked, shown on request, and removed with the dialog.
  assert.doesNotMatch(await page.content(), /whsec_/);
  await page.keyboard.press("Escape");
  assert.equal(await opened(page).isVisible(), true, "Escape must not lose the secret");
  await opened(page).getByRole("button", { name: "Show" }).click();
  const secret = await page.locator("[data-secret]").textContent();
  assert.match(secret, /^whsec_/);
  await shoot(page, "webhook-created");
  await opened(page).getByRole("button", { name: "I have saved the secret: close" }).click();
  await page.waitForFunction((gone) => !document.documentElement.outerHTML.includes(gone), secret);
  const kept = await page.evaluate(() => JSON.stringify([{ ...sessionStorage }, { ...localStorage }]));
  assert.equal(kept.includes(secret), false);

  await page.getByRole("link", { name: `${url}/in` }).click();
  await page.getByText("No deliveries yet.").waitFor();
  await page.getByRole("button", { name: "Send a test event" }).click();
  await sent(page, "Send");
  await close(page);
  await page.locator(".feed li", { hasText: "delivered" }).first().waitFor();
  assert.equal(received.length, 1);
  assert.ok(isSigned(received[0], secret), JSON.stringify(received[0]));
  await accessible(page, "a webhook");
  for (const [place, viewport] of [["1280", { width: 1280, height: 860 }], ["390", { width: 390, height: 844 }]]) {
    await page.setViewportSize(viewport);
    const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(over <= 0, `the webhook is ${over} px wider than ${place}`);
    for (const colours of ["light", "dark"]) {
      await page.getByLabel("Colours").selectOption(colours);
      await accessible(page, `a webhook, ${colours}, ${place}`);
      await shoot(page, `webhook-${colours}-${place}`, { fullPage: true });
    }
  }

  await page.getByRole("button", { name: "Edit" }).click();
  await opened(page).getByLabel("URL", { exact: true }).fill(`${url}/broken`);
  await opened(page).getByLabel(/^Description/).fill("the <b>broken</b> one");
  assert.match(await page.getByLabel("Equivalent curl command").textContent(), /-X PUT/);
  await sent(page, "Save");
  await close(page);
  await page.getByText("the <b>broken</b> one", { exact: true }).waitFor();
  assert.equal((await api(stack, "POST", "wallets", { userId: "alice" })).status, 201);
  await page.locator(".feed li", { hasText: "wallet.created" }).getByText("HTTP 500").waitFor();
  await page.getByText("failing", { exact: true }).waitFor();

  // The overview and the console over the tables show the same.
  await page.getByRole("link", { name: "Overview" }).click();
  await page.getByText("1 webhook failing or disabled").waitFor();
  const operator = await operate(stack);
  try {
    const { page: theirs, leave: left } = await visit(browser, operator.url, { first: operator.address });
    await theirs.getByRole("navigation").getByRole("link", { name: "Webhooks" }).click();
    await theirs.getByText(`${url}/broken`).waitFor();
    assert.equal(await theirs.getByRole("main").getByRole("button").count(), 0);
    await left(/status of 404/);
  } finally {
    await operator.stop();
  }

  await page.getByRole("navigation").getByRole("link", { name: "Webhooks" }).click();
  await page.getByRole("link", { name: `${url}/broken` }).click();
  await page.getByRole("button", { name: "Delete" }).click();
  await sent(page, "Delete");
  await close(page);
  await page.waitForURL("**/#/webhooks");
  await page.getByText("No webhooks yet").waitFor();
  await leave(REFUSED);
});

test("events are replayed from the page of a webhook", async () => {
  const { body: { webhook } } = await api(stack, "POST", "webhooks", { url: `${url}/again` });
  assert.equal((await api(stack, "POST", "wallets", { userId: "bob" })).status, 201);
  const { page, leave } = await visit(browser, stack.url, { first: `${stack.url}/#/webhooks/${webhook.webhookId}` });
  const delivered = page.locator(".feed li", { hasText: "wallet.created" });
  await delivered.first().waitFor();
  const before = received.filter(({ path }) => path === "/again").length;
  await page.getByRole("button", { name: "Replay events" }).click();
  await opened(page).getByLabel("From (optional)").fill("2026-01-01T00:00:00Z");
  await sent(page, "Replay");
  assert.match(await opened(page).textContent(), /Queued[1-9]/);
  await close(page);
  const after = () => received.filter(({ path }) => path === "/again").length;
  for (let tries = 0; tries < 200 && after() <= before; tries += 1) await page.waitForTimeout(50);
  assert.ok(after() > before, "the events are delivered again");
  await leave(REFUSED);
});
