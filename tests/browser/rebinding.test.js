// Tests pages of other sites in a real browser, with a foreign name that resolves to this machine
// (DNS rebinding).

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { launch } from "./browser.js";
import { start } from "./stack.js";

const FOREIGN = "evil.test";

let browser, stack, open;
before(async () => {
  stack = await start();
  await call("POST", "/api/wallets", '{"userId":"alice"}');
  // Chromium has started to block requests from pages to loopback. The stack must not depend on
  // that, because other browsers allow them.
  browser = await launch(`--host-resolver-rules=MAP ${FOREIGN} 127.0.0.1`, "--disable-features=LocalNetworkAccessChecks");
  open = await withoutChecks();
});
after(async () => {
  await browser?.close();
  open?.server.close();
  await stack?.stop();
});

/** Makes a call as a program would and returns the JSON. */
async function call(method, path, body) {
  const response = await fetch(`${stack.url}${path}`, { method, body, headers: { "content-type": "application/json", "x-api-key": "any" } });
  assert.ok(response.ok, path);
  return response.json();
}

/** Starts a server on loopback that allows every origin, like DynamoDB Local. */
async function withoutChecks() {
  const server = createServer((request, response) => {
    response.setHeader("access-control-allow-origin", "*");
    response.setHeader("access-control-allow-headers", "x-amz-target, content-type, x-api-key");
    response.setHeader("content-type", "text/html");
    response.end("open to everyone");
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, port: server.address().port };
}

/**
 * Runs a script in a page of a site and returns the status and text of each request, or the error's name. The
 * test serves the page, as the attacker's server does before the name is rebound. The requests go to the port.
 */
async function script(site, requests) {
  const context = await browser.newContext();
  const page = await context.newPage();
  try {
    await page.route("**/attack", (route) => route.fulfill({ contentType: "text/html", body: "<!doctype html>" }));
    await page.goto(`http://${site}/attack`);
    return await page.evaluate((requests) => Promise.all(requests.map(async ([url, init]) => {
      try {
        const response = await fetch(url, init);
        return { status: response.status, text: await response.text() };
      } catch (error) {
        return { error: error.name };
      }
    })), requests);
  } finally {
    await context.close();
  }
}

const headers = { "content-type": "application/x-amz-json-1.0", "x-amz-target": "DynamoDB_20120810.ListTables" };
const port = (url) => new URL(url).port;

test("foreign page can read a port without checks", async () => {
  const requests = [["/", {}], [`http://127.0.0.1:${open.port}/`, { method: "POST", headers, body: "{}" }]];
  assert.deepEqual(await script(`${FOREIGN}:${open.port}`, requests), requests.map(() => ({ status: 200, text: "open to everyone" })));
});

test("foreign hostname gets 403 from the API and the console", async () => {
  const key = { "x-api-key": "any", "content-type": "application/json" };
  const requests = [
    ["/", {}], ["/api/wallets", {}], ["/api/wallets", { headers: key }], ["/api/wallets/alice", { headers: key }],
    ["/api/health", {}], ["/console/main.js", {}], ["/console/data/wallets?ids=alice", { headers: key }],
    ["/api/wallets", { method: "POST", headers: key, body: '{"userId":"mallory"}' }],
    ["/api/wallets/alice/sign", { method: "POST", headers: key, body: '{"message":"hi"}' }],
  ];
  for (const got of await script(`${FOREIGN}:${port(stack.url)}`, requests)) {
    assert.equal(got.status, 403, JSON.stringify(got));
    assert.equal(JSON.parse(got.text).code, "HOST_NOT_ALLOWED");
    assert.doesNotMatch(got.text, /alice|0x[0-9a-f]{40}/i);
  }
  const { wallets } = await call("GET", "/api/wallets");
  assert.deepEqual(wallets.map(({ userId }) => userId), ["alice"], "no wallet must be created");
});

test("foreign hostname gets 403 from the other ports", async () => {
  const inner = Object.entries(stack.parts).filter(([name]) => !["API", "console"].includes(name));
  assert.deepEqual(inner.map(([name]) => name), ["DynamoDB", "KMS", "Lambda", "SQS", "Hyperliquid", "Aster", "Lighter", "chains"]);
  for (const [name, url] of inner) {
    const requests = [["/", {}], ["/", { method: "POST", headers, body: "{}" }]];
    for (const got of await script(`${FOREIGN}:${port(url)}`, requests)) {
      assert.equal(got.status, 403, `${name} ${JSON.stringify(got)}`);
      assert.doesNotMatch(got.text, /hyperdex/, name);
    }
  }
});

test("page of another site cannot read any port by its address", async () => {
  for (const [name, url] of Object.entries(stack.parts)) {
    const requests = [[url, {}], [url, { method: "POST", headers, body: "{}" }], [`${url}/api/wallets`, {}]];
    for (const site of [FOREIGN, "127.0.0.1"]) {
      assert.deepEqual(await script(`${site}:${open.port}`, requests), requests.map(() => ({ error: "TypeError" })), `${name} ${site}`);
    }
  }
});
