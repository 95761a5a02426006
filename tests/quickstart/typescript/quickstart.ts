/*
 * From no wallet to an order: HyperDEX Keys with TypeScript.
 *
 * HYPERDEX_URL      where HyperDEX Keys answers; http://127.0.0.1:3000 if not set
 * HYPERDEX_API_KEY  the X-API-KEY; a local stack without keys wants none
 * HYPERLIQUID_URL   Hyperliquid's API; its test network if not set
 */

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { ExchangeClient, HttpTransport } from "@nktkas/hyperliquid";
import { Wallet, verifyMessage } from "ethers";

const api = process.env.HYPERDEX_URL ?? "http://127.0.0.1:3000";
const hyperliquidUrl = process.env.HYPERLIQUID_URL ?? "https://api.hyperliquid-testnet.xyz";

interface Failure { error: string; code: string; message?: string }
interface CreatedWallet { userId: string; address: string; walletId: string; publicKey: string }
interface Signed { signature: string; address: string }
interface Data<T> { data: T; timestamp: number }
interface AsterKey { signerAddress: string; createdAt: string; agentAddress: string; expiryTimestamp: number }
interface HyperliquidKey { apiWalletAddress: string; apiPrivateKey: string; mainWalletAddress: string; expiryTimestamp: number }
interface KnownKey { state: string; walletAddress: string; agentAddress: string; autoRenew: boolean }

/** One request. What changes something carries a name of its own, so that it is done once. */
async function call<T>(method: "GET" | "POST" | "DELETE", path: string, body?: object): Promise<T> {
  const headers: Record<string, string> = { "X-API-KEY": process.env.HYPERDEX_API_KEY ?? "local" };
  if (method !== "GET") headers["Idempotency-Key"] = randomUUID();
  if (body) headers["Content-Type"] = "application/json";
  const request: RequestInit = { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) };
  // Repeated as it is when the answer is lost or says that it may be: it goes on where it stopped.
  for (let left = 2; ; left -= 1) {
    try {
      const answer = await fetch(api + path, request);
      if (answer.status >= 500 && left > 0) continue;
      if (answer.ok) return (await answer.json()) as T;
      const said = (await answer.json()) as Failure;
      throw new Error(`${method} ${path}: ${said.code}: ${said.error}. ${said.message ?? ""}`);
    } catch (error) {
      // What fetch throws when there is no answer.
      if (!(error instanceof TypeError) || left === 0) throw error;
    }
  }
}

// 1. A wallet for a user of yours. The same user always gets the same wallet.
const user = `typescript_${randomUUID().slice(0, 8)}`;
const wallet = await call<CreatedWallet>("POST", "/api/wallets", { userId: user });
console.log("wallet    ", wallet.address);

// 2. It signs: here a message, which anyone can check.
const message = "hello from TypeScript";
const signed = await call<Signed>("POST", `/api/wallets/${user}/sign`, { message });
assert.equal(verifyMessage(message, signed.signature), wallet.address);

// 3. Register it with both exchanges.
const name = { walletIdOrAddress: user };
const { data: aster } = await call<Data<AsterKey>>("POST", "/api/trading/aster/apikey", name);
const { data: key } = await call<Data<HyperliquidKey>>("POST", "/api/trading/hyperliquid/apikey", name);
console.log("Aster      agent", aster.agentAddress);
console.log("Hyperliquid agent", key.apiWalletAddress);

// 4. Read what they are. Never a secret: Aster's key stays in the service, for what you run there.
for (const exchange of ["aster", "hyperliquid"]) {
  const { data: known } = await call<Data<KnownKey>>("GET", `/api/trading/${exchange}/apikey?${new URLSearchParams(name)}`);
  assert.deepEqual([known.state, known.walletAddress], ["active", wallet.address]);
  console.log(`${exchange}: ${known.state}, renewed by itself: ${known.autoRenew}`);
}

// 5. Trade on Hyperliquid with the delivered key. Keep it as you keep any secret; it is not shown again.
const trader = (privateKey: string) => new ExchangeClient({
  transport: new HttpTransport({ apiUrl: hyperliquidUrl, isTestnet: true }),
  wallet: new Wallet(privateKey),
});
// A limit order that waits: buy 0.01 ETH (asset 1) at 1000.
const order = {
  orders: [{ a: 1, b: true, p: "1000", s: "0.01", r: false, t: { limit: { tif: "Gtc" as const } } }],
  grouping: "na" as const,
};
const old = trader(key.apiPrivateKey);
const placed = await old.order(order);
console.log("order     ", JSON.stringify(placed.response.data.statuses));

// 6. Put a new key in its place, and take it away. What traded with the old one stops.
const { data: rotated } = await call<Data<HyperliquidKey>>("POST", "/api/trading/hyperliquid/apikey/rotate", name);
await trader(rotated.apiPrivateKey).order(order);
await assert.rejects(old.order(order));
console.log("rotated   ", rotated.apiWalletAddress, "and the old key is refused");
await call("DELETE", `/api/trading/hyperliquid/apikey?${new URLSearchParams(name)}`);

// 7. The same with Aster's key. Its private key stays in the service, so only the address shows the change.
const { data: rotatedAster } = await call<Data<AsterKey>>("POST", "/api/trading/aster/apikey/rotate", name);
assert.notEqual(rotatedAster.agentAddress, aster.agentAddress);
console.log("rotated   ", rotatedAster.agentAddress, "on Aster");
await call("DELETE", `/api/trading/aster/apikey?${new URLSearchParams(name)}`);
await assert.rejects(call("GET", `/api/trading/aster/apikey?${new URLSearchParams(name)}`), /API_KEY_NOT_FOUND/);
console.log("done");
