// Pages of other sites in a real browser, with a foreign name that resolves to this machine (DNS rebinding).

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
  browser = await launch(`--host-resolver-rules=MAP ${FOREIGN} 127.0.0.1`);
  open = await withoutChecks();
});
after(async () => {
  await browser?.close();
  open?.server.close();
  await stack?.stop();
});

/** A call as a program makes it; its JSON. */
async function call(method, path, body) {
  const response = await fetch(`${stack.url}${path}`, { method, body, headers: { "content-type": "application/json", "x-api-key": "any" } });
  assert.ok(response.ok, path);
  return response.json();
}

/** A server on loopback that lets everyone read, as DynamoDB's own stand-in does. */
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

/** A page at an address, its status, and what its script reads: status and text of each request, or an error's name. */
async function page(address, requests) {
  const context = await browser.newContext();
  const page = await context.newPage();
  try {
    const opened = await page.goto(address);
    const read = await page.evaluate((requests) => Promise.all(requests.map(async ([url, init]) => {
      try {
        const response = await fetch(url, init);
        return { status: response.status, text: await response.text() };
      } catch (error) {
        return { error: error.name };
      }
    })), requests);
    return { status: opened.status(), text: await opened.text(), read };
  } finally {
    await context.close();
  }
}

const headers = { "content-type": "application/x-amz-json-1.0", "x-amz-target": "DynamoDB_20120810.ListTables" };
const port = (url) => new URL(url).port;

test("the browser lets a foreign page read a port that does not check", async () => {
  const requests = [["/", {}], [`http://127.0.0.1:${open.port}/`, { method: "POST", headers, body: "{}" }]];
  const { status, read } = await page(`http://${FOREIGN}:${open.port}/`, requests);
  assert.equal(status, 200);
  assert.deepEqual(read, requests.map(() => ({ status: 200, text: "open to everyone" })));
});

test("a foreign name gets nothing from the API and the console", async () => {
  const key = { "x-api-key": "any", "content-type": "application/json" };
  const requests = [
    ["/", {}], ["/api/wallets", {}], ["/api/wallets", { headers: key }], ["/api/wallets/alice", { headers: key }],
    ["/api/health", {}], ["/console/main.js", {}], ["/console/data/wallets?ids=alice", { headers: key }],
    ["/api/wallets", { method: "POST", headers: key, body: '{"userId":"mallory"}' }],
    ["/api/wallets/alice/sign", { method: "POST", headers: key, body: '{"message":"hi"}' }],
  ];
  const { status, text, read } = await page(`http://${FOREIGN}:${port(stack.url)}/`, requests);
  for (const got of [{ status, text }, ...read]) {
    assert.equal(got.status, 403, JSON.stringify(got));
    assert.equal(JSON.parse(got.text).code, "HOST_NOT_ALLOWED");
    assert.doesNotMatch(got.text, /alice|0x[0-9a-f]{40}/i);
  }
  const { wallets } = await call("GET", "/api/wallets");
  assert.deepEqual(wallets.map(({ userId }) => userId), ["alice"], "nothing was made");
});

test("a foreign name gets nothing from the ports for programs", async () => {
  const inner = Object.entries(stack.parts).filter(([name]) => !["API", "console"].includes(name));
  assert.deepEqual(inner.map(([name]) => name), ["DynamoDB", "KMS", "Lambda", "SQS", "Hyperliquid", "Aster"]);
  for (const [name, url] of inner) {
    const requests = [["/", {}], ["/", { method: "POST", headers, body: "{}" }]];
    const { status, text, read } = await page(`http://${FOREIGN}:${port(url)}/`, requests);
    for (const got of [{ status, text }, ...read]) {
      assert.equal(got.status, 403, `${name} ${JSON.stringify(got)}`);
      assert.doesNotMatch(got.text, /hyperdex/, name);
    }
  }
});

test("a page of another site cannot read any port by its address", async () => {
  for (const [name, url] of Object.entries(stack.parts)) {
    const requests = [[url, {}], [url, { method: "POST", headers, body: "{}" }], [`${url}/api/wallets`, {}]];
    for (const site of [FOREIGN, "127.0.0.1"]) {
      const { read } = await page(`http://${site}:${open.port}/`, requests);
      assert.deepEqual(read, requests.map(() => ({ error: "TypeError" })), `${name} ${site}`);
    }
  }
});
