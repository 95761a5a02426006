/*
 * Creates a wallet, registers trading keys and places an order, with HyperDEX Keys and TypeScript.
 *
 * HYPERDEX_URL      the URL of HyperDEX Keys (default: http://127.0.0.1:3000)
 * HYPERDEX_API_KEY  the tenant key (not needed for a local stack without tenant keys)
 * HYPERLIQUID_URL   Hyperliquid's API (default: its test network)
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
interface Order { orderId: string; status: string }
interface KnownKey { state: string; walletAddress: string; agentAddress: string; autoRenew: boolean }

/** Sends a request. An Idempotency-Key makes the retry of a change safe. */
async function call<T>(method: "GET" | "POST" | "DELETE", path: string, body?: object): Promise<T> {
  const headers: Record<string, string> = { "X-API-KEY": process.env.HYPERDEX_API_KEY ?? "local" };
  if (method !== "GET") headers["Idempotency-Key"] = randomUUID();
  if (body) headers["Content-Type"] = "application/json";
  const request: RequestInit = { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) };
  // Retries with the same key if the response is lost or has a status of 500 or above.
  for (let left = 2; ; left -= 1) {
    try {
      const response = await fetch(api + path, request);
      if (response.status >= 500 && left > 0) continue;
      if (response.ok) return (await response.json()) as T;
      const failure = (await response.json()) as Failure;
      throw new Error(`${method} ${path}: ${failure.code}: ${failure.error}. ${failure.message ?? ""}`);
    } catch (error) {
      // fetch throws a TypeError without a response.
      if (!(error instanceof TypeError) || left === 0) throw error;
    }
  }
}

// 1. Create a wallet for one of your users. The same user always gets the same wallet.
const user = `typescript_${randomUUID().slice(0, 8)}`;
const wallet = await call<CreatedWallet>("POST", "/api/wallets", { userId: user });
console.log("wallet    ", wallet.address);

// 2. Sign a message. Anyone can verify the signature.
const message = "hello from TypeScript";
const signed = await call<Signed>("POST", `/api/wallets/${user}/sign`, { message });
assert.equal(verifyMessage(message, signed.signature), wallet.address);

// 3. Register the wallet with both exchanges.
const name = { walletIdOrAddress: user };
const { data: aster } = await call<Data<AsterKey>>("POST", "/api/trading/aster/apikey", name);
const { data: key } = await call<Data<HyperliquidKey>>("POST", "/api/trading/hyperliquid/apikey", name);
console.log("Aster      agent", aster.agentAddress);
console.log("Hyperliquid agent", key.apiWalletAddress);

// 4. Read the state of both keys. The response contains no secret. Aster's private key stays in the
// service.
for (const exchange of ["aster", "hyperliquid"]) {
  const { data: known } = await call<Data<KnownKey>>("GET", `/api/trading/${exchange}/apikey?${new URLSearchParams(name)}`);
  assert.deepEqual([known.state, known.walletAddress], ["active", wallet.address]);
  console.log(`${exchange}: ${known.state}, automatic renewal: ${known.autoRenew}`);
}

// 5. Place an order through the service, read it, and cancel it. Both exchanges take the same request. The clientOrderId
// makes a retry safe: the order executes at most once.
const first = { symbol: "ETH", side: "BUY", type: "LIMIT", quantity: "0.02", price: "1000", clientOrderId: "first-order" };
for (const exchange of ["aster", "hyperliquid"]) {
  const orders = `/api/trading/${exchange}/orders`;
  const { data: sent } = await call<Data<Order>>("POST", orders, { ...name, ...first });
  const { data: read } = await call<Data<Order>>("GET", `${orders}/first-order/status?${new URLSearchParams(name)}`);
  assert.deepEqual([read.orderId, read.status], [sent.orderId, "OPEN"]);
  const { data: cancelled } = await call<Data<Order>>("DELETE", `${orders}/first-order?${new URLSearchParams(name)}`);
  assert.equal(cancelled.status, "CANCELED");
  console.log(`${exchange}: placed, read and cancelled order ${sent.orderId}`);
}

// 6. Trade on Hyperliquid with the delivered key. Store it securely: it is not shown again.
const trader = (privateKey: string) => new ExchangeClient({
  transport: new HttpTransport({ apiUrl: hyperliquidUrl, isTestnet: true }),
  wallet: new Wallet(privateKey),
});
// A limit order below the market price: buy 0.01 ETH (asset 1) at 1000.
const order = {
  orders: [{ a: 1, b: true, p: "1000", s: "0.01", r: false, t: { limit: { tif: "Gtc" as const } } }],
  grouping: "na" as const,
};
const old = trader(key.apiPrivateKey);
const placed = await old.order(order);
console.log("order     ", JSON.stringify(placed.response.data.statuses));

// 7. Rotate the key. The old key stops working.
const { data: rotated } = await call<Data<HyperliquidKey>>("POST", "/api/trading/hyperliquid/apikey/rotate", name);
await trader(rotated.apiPrivateKey).order(order);
await assert.rejects(old.order(order));
console.log("rotated   ", rotated.apiWalletAddress, "and the old key is refused");
await call("DELETE", `/api/trading/hyperliquid/apikey?${new URLSearchParams(name)}`);

// 8. Rotate Aster's key. Its private key stays in the service, so only the address shows the
// change.
const { data: rotatedAster } = await call<Data<AsterKey>>("POST", "/api/trading/aster/apikey/rotate", name);
assert.notEqual(rotatedAster.agentAddress, aster.agentAddress);
console.log("rotated   ", rotatedAster.agentAddress, "on Aster");
await call("DELETE", `/api/trading/aster/apikey?${new URLSearchParams(name)}`);
await assert.rejects(call("GET", `/api/trading/aster/apikey?${new URLSearchParams(name)}`), /API_KEY_NOT_FOUND/);
console.log("done");
