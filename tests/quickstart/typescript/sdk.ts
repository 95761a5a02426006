/*
 * Trades on Hyperliquid with the delivered key and the community SDK, next to orders of HyperDEX Keys. Each side sees
 * and ends what the other one did. The program prints every step. The environment variables are those of quickstart.ts.
 * It places market orders: run it with the simulator, or with a wallet of the test network that has funds.
 */

import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { ExchangeClient, HttpTransport, InfoClient } from "@nktkas/hyperliquid";
import { Wallet } from "ethers";

const api = process.env.HYPERDEX_URL ?? "http://127.0.0.1:3000";
const apiUrl = process.env.HYPERLIQUID_URL ?? "https://api.hyperliquid-testnet.xyz";

interface Order { orderId: string; status: string; side: string; quantity: string; price: string }
interface Position { symbol: string; direction: string; size: string; leverage: number }
interface Data<T> { data: T }

async function service<T>(method: "GET" | "POST" | "DELETE", path: string, body?: object): Promise<T> {
  const headers: Record<string, string> = { "X-API-KEY": process.env.HYPERDEX_API_KEY ?? "local", "Idempotency-Key": randomUUID() };
  if (body) headers["Content-Type"] = "application/json";
  const response = await fetch(api + path, { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) });
  const result = await response.json() as T & { code?: string; error?: string };
  if (!response.ok) throw new Error(`${method} ${path}: ${result.code}: ${result.error}`);
  return result;
}

const said = (who: string, what: string) => console.log(who.padEnd(8), what);

// 1. A wallet, and a trading key that the response delivers.
const user = `sdk_${randomUUID().slice(0, 8)}`;
const name = { walletIdOrAddress: user };
const query = new URLSearchParams(name).toString();
const wallet = await service<{ address: `0x${string}` }>("POST", "/api/wallets", { userId: user });
const { data: key } = await service<Data<{ apiPrivateKey: string }>>("POST", "/api/trading/hyperliquid/apikey", name);
const transport = new HttpTransport({ apiUrl, isTestnet: true });
const info = new InfoClient({ transport });
const sdk = new ExchangeClient({ transport, wallet: new Wallet(key.apiPrivateKey) });
const address = wallet.address;
said("service", `registered an agent for wallet ${address}`);

// Numbers of markets differ between networks: look them up.
const { universe } = await info.meta();
const asset = (coin: string) => universe.findIndex((market) => market.name === coin);

// 2. The SDK sees an order of the service, and cancels it.
const { data: placed } = await service<Data<Order>>("POST", "/api/trading/hyperliquid/orders", {
  ...name, symbol: "BTC", side: "BUY", type: "LIMIT", price: "20000", quantity: "0.01", clientOrderId: "service-1",
});
said("service", `placed BUY 0.01 BTC at 20000: order ${placed.orderId}, ${placed.status}`);
const open = await info.frontendOpenOrders({ user: address });
assert.deepEqual(open.map((order) => [String(order.oid), order.coin, order.sz]), [[placed.orderId, "BTC", "0.01"]]);
const oid = Number(placed.orderId);
said("SDK", `sees order ${oid}`);
await sdk.cancel({ cancels: [{ a: asset("BTC"), o: oid }] });
const { data: status } = await service<Data<Order>>("GET", `/api/trading/hyperliquid/orders/service-1/status?${query}`);
assert.equal(status.status, "CANCELED");
said("SDK", `cancelled order ${oid}, and the service sees ${status.status}`);

// 3. The service sees an order of the SDK, and cancels it.
const c = `0x${randomBytes(16).toString("hex")}` as const;
const limit = (coin: string, b: boolean, p: string, s: string, tif: "Gtc" | "Ioc") => ({
  orders: [{ a: asset(coin), b, p, s, r: false, t: { limit: { tif } }, ...(tif === "Gtc" ? { c } : {}) }],
  grouping: "na" as const,
});
await sdk.order(limit("ETH", true, "1000", "0.05", "Gtc"));
const { data: { orders: [seen] } } =
  await service<Data<{ orders: Order[] }>>("GET", `/api/trading/hyperliquid/orders?${query}&symbol=ETH`);
assert(seen);
said("service", `sees order ${seen.orderId} of the SDK: ${seen.side} ${seen.quantity} at ${seen.price}`);
await service("DELETE", `/api/trading/hyperliquid/orders/${seen.orderId}?${query}&symbol=ETH`);
const tracked = await info.orderStatus({ user: address, oid: c });
assert(tracked.status === "order" && tracked.order.status === "canceled");
said("service", `cancelled order ${seen.orderId}, and the SDK sees ${tracked.order.status}`);

// 4. The SDK opens a position with its own leverage, and the service closes it.
await sdk.updateLeverage({ asset: asset("ETH"), isCross: true, leverage: 7 });
await sdk.order(limit("ETH", true, "3300", "0.5", "Ioc"));
const { positions: [position] } = await service<{ positions: Position[] }>("GET", `/api/trading/hyperliquid/positions/${address}`);
assert.deepEqual([position?.direction, position?.size, position?.leverage], ["LONG", "0.5", 7]);
said("SDK", "bought 0.5 ETH with a leverage of 7");
said("service", `sees ${position?.direction} ${position?.size} ${position?.symbol}`);
await service("POST", "/api/trading/hyperliquid/positions/close", { ...name, symbol: "ETH" });
assert.deepEqual((await info.clearinghouseState({ user: address })).assetPositions, []);
said("service", "closed it, and the SDK sees no position");

// 5. Both list the same fills.
const { data: { fills } } = await service<Data<{ fills: { fillId: string }[] }>>("GET", `/api/trading/hyperliquid/fills?${query}`);
const ofSdk = await info.userFillsByTime({ user: address, startTime: 0 });
assert.deepEqual(fills.map((fill) => fill.fillId).sort(), ofSdk.map((fill) => String(fill.tid)).sort());
assert.equal(fills.length, 2);
said("both", `list the same ${fills.length} fills`);
await service("DELETE", `/api/trading/hyperliquid/apikey?${query}`);
console.log("done");
