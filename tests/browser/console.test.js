// Tests the console in a real browser, with a local stack.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { accessible, launch, shoot, visit } from "./browser.js";
import { run, start } from "./stack.js";

/** The browser's own message about an error status. */
const REFUSED = /Failed to load resource: the server responded with a status of (401|403|404|422)/;

let browser, stack;
before(async () => {
  stack = await start();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await stack?.stop();
});

const card = (page, name) => page.getByRole("region", { name, exact: true });

/** Sends the call of the open dialog and waits for its success. */
async function sent(page, word) {
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: word, exact: true }).click();
  await dialog.getByText(/^Done: HTTP 20/).waitFor();
  return dialog;
}

/** Creates a wallet with the mouse and waits for its page. */
async function createWallet(page, userId) {
  await page.getByRole("button", { name: "Create a wallet" }).click();
  await page.getByRole("textbox", { name: "userId" }).fill(userId);
  const dialog = await sent(page, "Create");
  await dialog.getByRole("button", { name: "Close" }).click();
  await page.getByRole("heading", { level: 1, name: userId }).waitFor();
}

test("console creates, registers, signs, rotates and deletes by mouse", async () => {
  const { page, leave } = await visit(browser, stack.url);
  await page.getByText("No wallets yet").waitFor();
  await createWallet(page, "alice");
  const hyperliquid = card(page, "Hyperliquid"), aster = card(page, "Aster");

  await hyperliquid.getByRole("button", { name: "Register" }).click();
  const curl = page.getByLabel("Equivalent curl command");
  const asked = await curl.textContent();
  assert.match(asked, /api\/trading\/hyperliquid\/apikey'/);
  assert.match(asked, /-d '\{"walletIdOrAddress":"alice"\}'/);
  const dialog = await sent(page, "Register");
  // The key is masked, shown on request, copied, and removed with the dialog.
  const secret = page.locator("[data-secret]");
  assert.match(await secret.textContent(), /^•+$/);
  await shoot(page, "registered");
  assert.doesNotMatch(await page.content(), /0x[0-9a-f]{64}/);
  await page.keyboard.press("Escape");
  assert.equal(await dialog.isVisible(), true, "Escape must not lose the key");
  await dialog.getByRole("button", { name: "Show" }).click();
  const key = await secret.textContent();
  assert.match(key, /^0x[0-9a-f]{64}$/);
  await dialog.getByRole("button", { name: "Copy key" }).click();
  await dialog.getByText("Copied.").waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), key);
  await dialog.getByRole("button", { name: "I have saved the key: close" }).click();
  // The close event comes shortly after the click and removes the key.
  await page.waitForFunction((gone) => !document.documentElement.outerHTML.includes(gone), key);
  const kept = await page.evaluate(() => JSON.stringify([{ ...sessionStorage }, { ...localStorage }]));
  assert.equal(kept.includes(key), false);
  await hyperliquid.getByText("active", { exact: true }).waitFor();
  await hyperliquid.getByText(/^in 179 d/).first().waitFor();

  await aster.getByRole("button", { name: "Register" }).click();
  await (await sent(page, "Register")).getByRole("button", { name: "Close" }).click();
  await aster.getByText("active", { exact: true }).waitFor();

  await page.getByRole("button", { name: "Sign a message" }).click();
  await page.getByRole("textbox", { name: "Message" }).fill("it's a \"test\"");
  const signing = await sent(page, "Sign");
  assert.match(await signing.getByText(/^0x[0-9a-f]{130}$/).first().textContent(), /0x/);
  await signing.getByRole("button", { name: "Close" }).click();

  const before = await aster.locator("code").first().textContent();
  await aster.getByRole("button", { name: "Rotate" }).click();
  await (await sent(page, "Rotate")).getByRole("button", { name: "Close" }).click();
  await page.waitForFunction((old) => document.querySelector('[aria-label="Aster"] code').textContent !== old, before);

  // The agents that the exchange itself lists.
  await hyperliquid.getByText("On the exchange: 1 agent").waitFor();
  await aster.getByText("On the exchange: 1 agent").waitFor();
  await page.getByText(/Hyperliquid: approve agent hdx/).first().waitFor();
  await accessible(page, "a wallet");
  await shoot(page, "wallet", { fullPage: true });

  await hyperliquid.getByRole("button", { name: "Delete" }).click();
  await accessible(page, "a dialog");
  await (await sent(page, "Delete")).getByRole("button", { name: "Close" }).click();
  await hyperliquid.getByText("This wallet has no trading key on Hyperliquid.").waitFor();
  await leave();
});

test("displayed curl call has the same effect as the button", async () => {
  const { page, leave } = await visit(browser, stack.url);
  await page.getByRole("button", { name: "Create a wallet" }).click();
  await page.getByRole("textbox", { name: "userId" }).fill("o'neill".replace("'", "|"));
  const shell = await page.getByLabel("Equivalent curl command").textContent();
  const { execFile } = await import("node:child_process");
  const output = await new Promise((resolve, reject) => execFile("sh", ["-c", `${shell} -s`], (error, out) => (error ? reject(error) : resolve(out))));
  const wallet = JSON.parse(output);
  assert.equal(wallet.userId, "o|neill");
  // The button sends the same request, which is replayed.
  const dialog = await sent(page, "Create");
  await dialog.getByText(/replayed/).waitFor();
  await dialog.getByRole("button", { name: "Close" }).click();
  await page.waitForURL(`**/#/wallets/${wallet.walletId}`);
  await leave();
});

test("error shows its next action", async () => {
  const strict = await start("--require-deposit");
  try {
    const { page, leave } = await visit(browser, strict.url);
    await createWallet(page, "bob");
    await card(page, "Hyperliquid").getByRole("button", { name: "Register" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Register" }).click();
    const alert = page.getByRole("alert");
    await alert.getByText("DEPOSIT_REQUIRED").waitFor();
    const text = await alert.textContent();
    assert.match(text, /Failed to generate API key/);
    assert.match(text, /0x[0-9a-fA-F]{40}/, "where to deposit");
    assert.match(text, /then retry/);
    await page.getByRole("dialog").getByRole("button", { name: "Retry" }).waitFor();
    await accessible(page, "an error");
    await shoot(page, "error");
    await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();

    // A wallet that was not found can be created from the search.
    await page.getByRole("link", { name: "Wallets", exact: true }).first().click();
    await page.getByRole("searchbox").fill("carol");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").getByText("Wallet not found").waitFor();
    await page.getByRole("button", { name: "Create a wallet for carol" }).click();
    await (await sent(page, "Create")).getByRole("button", { name: "Close" }).click();
    await page.getByRole("heading", { level: 1, name: "carol" }).waitFor();
    await leave(REFUSED);
  } finally {
    await strict.stop();
  }
});

test("console is usable by keyboard", async () => {
  const { page, leave } = await visit(browser, stack.url);
  await page.getByRole("heading", { level: 1, name: "Wallets" }).waitFor();
  const focused = () => page.evaluate(() => document.activeElement.textContent || document.activeElement.id);
  await page.keyboard.press("Tab");
  assert.equal(await focused(), "Skip to the content");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "main");
  await page.keyboard.press("Tab");
  assert.equal(await focused(), "Create a wallet");
  await page.keyboard.press("Enter");
  await page.keyboard.type("dave");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").getByText(/^Done: HTTP 201/).waitFor();
  assert.equal(await focused(), "Close");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "dave" }).waitFor();
  // Every button is reachable and shows its focus.
  await page.getByRole("button", { name: "Register" }).first().waitFor();
  const reached = new Set();
  for (let presses = 0; presses < 40; presses += 1) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate(() => {
      const { activeElement: element } = document;
      return { name: element.dataset.does, outline: getComputedStyle(element).outlineStyle };
    });
    if (!at.name) continue;
    reached.add(at.name);
    assert.notEqual(at.outline, "none", `${at.name} shows its focus`);
    if (at.name === "hyperliquid-register") break;
  }
  assert.deepEqual([...reached], ["aster-register", "hyperliquid-register"]);
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "hidden" });
  assert.equal(await page.evaluate(() => document.activeElement.dataset.does), "hyperliquid-register");
  // A key focuses the search.
  await page.goto(`${stack.url}/#/wallets`);
  await page.getByRole("heading", { level: 1, name: "Wallets" }).waitFor();
  await page.keyboard.press("/");
  await page.keyboard.type("dave");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "dave" }).waitFor();
  await leave();
});

test("every view is accessible in both themes on desktop and phone", async () => {
  for (const colorScheme of ["light", "dark"]) {
    for (const [place, viewport] of [["desktop", { width: 1200, height: 860 }], ["phone", { width: 375, height: 740 }]]) {
      // A layout does not depend on colours, nor colours on the layout. EVERY_CASE tests every pair.
      if (!process.env.EVERY_CASE && (colorScheme === "dark") !== (place === "phone")) continue;
      const { page, leave } = await visit(browser, stack.url, { colorScheme, viewport });
      for (const [view, heading, there] of [
        ["overview", "Overview", "Trading keys by state"], ["wallets", "Wallets", "alice"], ["trading", "Trading", "Orders per minute"],
        ["webhooks", "Webhooks", "No webhooks yet"], ["metrics", "Metrics", "API requests"], ["renewals", "Renewals", "alice"], ["decisions", "Cosigner decisions", "signed"],
        ["exchanges", "Exchanges", "exchangeStatus"], ["reference", "API reference", /OpenAPI/],
      ]) {
        await page.goto(`${stack.url}/#/${view}`);
        await page.getByRole("heading", { level: 1, name: heading }).waitFor();
        await page.getByRole("main").getByText(there).first().waitFor();
        const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(over <= 0, `${view} is ${over} px wider than the ${place}`);
        await accessible(page, `${view}, ${colorScheme}, ${place}`);
        await shoot(page, `${view}-${colorScheme}-${place}`);
      }
      // Without a document the reference is a 404, which the browser reports.
      await leave(REFUSED);
    }
  }
});

test("selected colour theme persists after reload", async () => {
  const { page, leave } = await visit(browser, stack.url, { colorScheme: "light" });
  const back = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await back();
  await page.getByLabel("Colours").selectOption("dark");
  const dark = await back();
  assert.notEqual(dark, light);
  await page.reload();
  assert.equal(await back(), dark);
  await leave();
});

test("new decisions appear live and refusals are marked", async () => {
  const { page, leave } = await visit(browser, stack.url);
  // The default policy refuses nothing that this page can request, so the test changes one
  // response.
  let refuse = false;
  await page.route("**/console/data/decisions", async (route) => {
    const response = await route.fetch();
    const body = await response.json();
    if (refuse) Object.assign(body.decisions.find((one) => one.decision === "key-made"), { decision: "refused", refused: true, reason: "<b>too many</b> signatures" });
    await route.fulfill({ response, json: body });
  });
  await page.getByRole("link", { name: "Decisions" }).click();
  await page.getByText(/^\d+ decisions, 0 refused$/).waitFor();
  refuse = true;
  const made = await fetch(`${stack.url}/api/wallets`, { method: "POST", headers: { "content-type": "application/json", "x-api-key": "any" }, body: '{"userId":"erin"}' });
  assert.equal(made.status, 201);
  await page.getByText(/^\d+ decisions, 1 refused$/).waitFor();
  // Data is shown as text, whatever it contains.
  await page.locator("li.refused").getByText("<b>too many</b> signatures").waitFor();
  await page.getByText("The cosigner refused a request").waitFor({ state: "attached" });
  await page.getByLabel("Refusals only").check();
  assert.equal(await page.locator(".feed li").count(), 1);
  await shoot(page, "refusal");
  await leave();
});

test("wallet list shows one page at a time", async () => {
  // Uses pages of two wallets.
  const { page, leave } = await visit(browser, stack.url);
  await page.route("**/api/wallets?*", (route) => route.continue({ url: route.request().url().replace("limit=25", "limit=2") }));
  await page.reload();
  const users = () => page.locator("tbody th").allTextContents();
  await page.getByText("Page 1").waitFor();
  const first = await users();
  assert.equal(first.length, 2);
  await page.getByRole("button", { name: "Next" }).click();
  await page.getByText("Page 2").waitFor();
  await page.waitForFunction((known) => document.querySelector("tbody th")?.textContent !== known, first[0]);
  const second = await users();
  assert.ok(second.length > 0 && second.every((user) => !first.includes(user)), String(second));
  await page.getByRole("button", { name: "Back" }).click();
  await page.getByText("Page 1").waitFor();
  await page.waitForFunction((known) => document.querySelector("tbody th")?.textContent === known, first[0]);
  await leave();
});

test("stack with tenant keys requires a key and shows its tenant only", async () => {
  const locked = await start();
  try {
    const key = /hdxk[0-9a-f]{64}/.exec(await run(locked.data, "keys", "add", "desk-1"))[0];
    const { page, leave } = await visit(browser, locked.url);
    await page.getByRole("status").getByText("tenant key required").waitFor();
    await page.getByRole("alert").getByText("Missing X-API-KEY").waitFor();
    await page.getByRole("button", { name: "Tenant key" }).click();
    await page.getByLabel("X-API-KEY").fill(key);
    await page.keyboard.press("Enter");
    await page.locator("#stack").getByText("tenant desk-1").waitFor();
    await page.getByRole("button", { name: "Create a wallet" }).click();
    await page.getByRole("textbox", { name: "userId" }).fill("frank");
    assert.match(await page.getByLabel("Equivalent curl command").textContent(), /"X-API-KEY: \$HYPERDEX_API_KEY"/);
    assert.equal((await page.content()).includes(key), false, "the key is not in the page");
    await (await sent(page, "Create")).getByRole("button", { name: "Close" }).click();
    await page.getByRole("heading", { level: 1, name: "frank" }).waitFor();
    assert.equal(page.url().includes("hdxk"), false);
    await leave(REFUSED);
  } finally {
    await locked.stop();
  }
});

test("API reference renders any OpenAPI document of the stack", async () => {
  const { page, leave } = await visit(browser, stack.url);
  const document = {
    openapi: "3.1.0", info: { title: "Sample", version: "1", description: "First `code`.\n\n<img src=x onerror=alert(1)>" },
    paths: { "/things/{id}": {
      parameters: [{ $ref: "#/components/parameters/Id" }],
      post: {
        summary: "Change a thing",
        requestBody: { required: true, content: { "application/json": { schema: { $ref: "#/components/schemas/Thing" } } } },
        responses: { 200: { description: "Changed", content: { "application/json": { schema: { allOf: [{ $ref: "#/components/schemas/Thing" }] }, example: { name: "a" } } } } },
      },
    } },
    components: {
      parameters: { Id: { name: "id", in: "path", required: true, schema: { type: "string", maxLength: 7 } } },
      // A schema that contains itself.
      schemas: { Thing: { type: "object", required: ["name"], properties: { name: { type: "string", enum: ["a", "b"] }, parts: { type: "array", items: { $ref: "#/components/schemas/Thing" } } } } },
    },
  };
  await page.route("**/api/openapi.json", (route) => route.fulfill({ json: document }));
  await page.getByRole("link", { name: "API", exact: true }).click();
  await page.getByText("<img src=x onerror=alert(1)>").waitFor();
  await page.getByText("Change a thing").click();
  await page.getByText("at most 7 characters").waitFor();
  await page.getByText('one of "a", "b"').first().waitFor();
  await page.getByText("as Thing above").first().waitFor();
  assert.equal(await page.locator(".wanted", { hasText: "always" }).count(), 2);
  await accessible(page, "the reference, open");
  await page.getByPlaceholder(/Filter/).fill("nothing like it");
  await page.getByText("No matching operations.").waitFor();
  await leave();
});
