/*
 * Calls a stack through the client that openapi-typescript and openapi-fetch make of its OpenAPI document.
 * `.ci/openapi` generates schema.d.ts next to this file and runs it.
 *
 * HYPERDEX_URL      the base URL of the stack
 * HYPERDEX_API_KEY  the tenant key
 */

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

type Failure = components["schemas"]["Error"];

function setting(name: string): string {
  const value = process.env[name];
  assert(value, `set ${name}`);
  return value;
}

const client = createClient<paths>({
  baseUrl: setting("HYPERDEX_URL"),
  headers: { "X-API-KEY": setting("HYPERDEX_API_KEY") },
});

/** The header that makes a retry safe. A new request needs a new key. */
const once = (key: string = randomUUID()) => ({ "Idempotency-Key": key });

/** Returns the data of a success, and fails with the code and the message of an error. */
function succeeded<T>(result: { data?: T; error?: Failure; response: Response }, status = 200): T {
  const { data, error, response } = result;
  assert.equal(response.status, status, error && `${error.code}: ${error.error}. ${error.message}`);
  assert(data !== undefined);
  return data;
}

/** Returns the typed error of a failed call. */
function failed(result: { data?: unknown; error?: Failure; response: Response }, status: number, code: string): Failure {
  assert.equal(result.response.status, status);
  assert(result.error);
  assert.equal(result.error.success, false);
  assert.equal(result.error.code, code);
  assert(result.error.message.length > 0 && Number.isSafeInteger(result.error.timestamp));
  return result.error;
}

const health = succeeded(await client.GET("/api/health"));
assert.equal(health.status, "ok");

const user = `typescript_${randomUUID().slice(0, 8)}`;
const key = once();
const created = succeeded(await client.POST("/api/wallets", { params: { header: key }, body: { userId: user } }), 201);
const name = { walletIdOrAddress: user };

const wallet = succeeded(await client.GET("/api/wallets/{walletIdOrAddress}", { params: { path: name } }));
assert.deepEqual(wallet, created);
assert.match(wallet.address, /^0x[0-9a-fA-F]{40}$/);

const aster = succeeded(await client.POST("/api/trading/aster/apikey", { params: { header: once() }, body: name })).data;
assert.equal(aster.signerAddress, wallet.address);
const hyperliquid = succeeded(await client.POST("/api/trading/hyperliquid/apikey", { params: { header: once() }, body: name })).data;
assert.equal(hyperliquid.mainWalletAddress, wallet.address);
assert.match(hyperliquid.apiPrivateKey ?? "", /^0x[0-9a-f]{64}$/);

const listed: string[] = [];
for (let cursor: string | null | undefined; cursor !== null;) {
  const query = cursor === undefined ? { limit: 1 } : { limit: 1, cursor };
  const page = succeeded(await client.GET("/api/wallets", { params: { query } }));
  listed.push(...page.wallets.map((one) => one.walletId));
  cursor = page.nextCursor;
}
assert(listed.includes(wallet.walletId));
const agents = succeeded(await client.GET("/api/trading/hyperliquid/agents", { params: { query: name } })).data;
const role = agents.agents.find((one) => one.agentAddress === hyperliquid.apiWalletAddress)?.role;
assert.equal(role, "current");

const message = "Hello from a generated client";
const signed = succeeded(await client.POST("/api/wallets/{walletIdOrAddress}/sign", {
  params: { path: name, header: once() },
  body: { message },
}));
assert.equal(signed.message, message);
assert.match(signed.signature, /^0x[0-9a-f]{128}(1b|1c)$/);

const rotated = succeeded(await client.POST("/api/trading/aster/apikey/rotate", { params: { header: once() }, body: name })).data;
assert.equal(rotated.previousAgentAddress, aster.agentAddress);
assert.notEqual(rotated.agentAddress, aster.agentAddress);
const moved = succeeded(await client.POST("/api/trading/hyperliquid/apikey/rotate", { params: { header: once() }, body: name })).data;
assert.equal(moved.previousAgentAddress, hyperliquid.apiWalletAddress);

const nobody = { walletIdOrAddress: `nobody_${randomUUID()}` };
failed(await client.GET("/api/wallets/{walletIdOrAddress}", { params: { path: nobody } }), 404, "WALLET_NOT_FOUND");
const other = await client.POST("/api/wallets", { params: { header: key }, body: { userId: `${user}_2` } });
failed(other, 422, "IDEMPOTENCY_KEY_REUSED");
const lighter = await client.POST("/api/trading/{exchange}/apikey", { params: { path: { exchange: "lighter" } } });
failed(lighter, 400, "EXCHANGE_NOT_SUPPORTED");

for (const exchange of ["aster", "hyperliquid"] as const) {
  const path = `/api/trading/${exchange}/apikey` as const;
  const state = succeeded(await client.GET(path, { params: { query: name } })).data;
  assert.equal(state.state, "active");
  const gone = succeeded(await client.DELETE(path, { params: { query: name, header: once() } })).data;
  assert.equal(gone.walletId, wallet.walletId);
  failed(await client.GET(path, { params: { query: name } }), 404, "API_KEY_NOT_FOUND");
}
console.log(`TypeScript: ${wallet.address} was created, registered, rotated and deregistered`);
