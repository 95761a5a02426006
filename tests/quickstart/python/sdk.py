"""Trades on Hyperliquid with the delivered key and the exchange's own SDK, next to orders of HyperDEX Keys.

Each side sees and ends what the other one did: orders, leverage, positions and fills. The program prints
every step. The environment variables are those of quickstart.py. It places market orders: run it with
the simulator, or with a wallet of the test network that has funds.
"""

import os
import uuid

import requests
from eth_account import Account
from hyperliquid.exchange import Exchange
from hyperliquid.info import Info
from hyperliquid.utils.constants import TESTNET_API_URL
from hyperliquid.utils.types import Cloid

API = os.environ.get("HYPERDEX_URL", "http://127.0.0.1:3000")
HYPERLIQUID = os.environ.get("HYPERLIQUID_URL", TESTNET_API_URL)
KEY = os.environ.get("HYPERDEX_API_KEY", "local")


def service(method, path, body=None, **query):
    """Sends a request to the service, and prints it with its response."""
    headers = {"X-API-KEY": KEY, "Idempotency-Key": str(uuid.uuid4())}
    response = requests.request(method, API + path, json=body, params=query, headers=headers, timeout=60)
    result = response.json()
    if not response.ok:
        raise SystemExit(f"{method} {path}: {result['code']}: {result['error']}. {result.get('message', '')}")
    return result


def said(who, what):
    print(f"{who:8}", what)


# 1. A wallet, and a trading key that the response delivers.
user = f"sdk_{uuid.uuid4().hex[:8]}"
name = {"walletIdOrAddress": user}
address = service("POST", "/api/wallets", {"userId": user})["address"]
key = service("POST", "/api/trading/hyperliquid/apikey", name)["data"]
agent = Account.from_key(key["apiPrivateKey"])
assert agent.address == key["apiWalletAddress"]
info = Info(HYPERLIQUID, skip_ws=True)
sdk = Exchange(agent, HYPERLIQUID, account_address=address)
said("service", f"registered agent {agent.address} for wallet {address}")


def order(symbol, side, price, quantity, client_order_id):
    body = {"symbol": symbol, "side": side, "type": "LIMIT", "price": price, "quantity": quantity}
    return service("POST", "/api/trading/hyperliquid/orders", {**name, **body, "clientOrderId": client_order_id})["data"]


def status(order_id):
    path = f"/api/trading/hyperliquid/orders/{order_id}/status"
    return service("GET", path, walletIdOrAddress=user)["data"]["status"]


# 2. The SDK sees an order of the service, by number and by client id.
placed = order("BTC", "BUY", "20000", "0.01", "service-1")
said("service", f"placed BUY 0.01 BTC at 20000: order {placed['orderId']}, {placed['status']}")
[seen] = info.frontend_open_orders(address)
assert str(seen["oid"]) == placed["orderId"] and (seen["coin"], seen["limitPx"]) == ("BTC", "20000.0"), seen
by_cloid = info.query_order_by_cloid(address, Cloid.from_str(seen["cloid"]))
assert by_cloid["order"]["order"]["oid"] == seen["oid"], by_cloid
said("SDK", f"sees order {seen['oid']}: {seen['coin']} {seen['side']} {seen['sz']} at {seen['limitPx']}")

# 3. The SDK cancels it, and the service knows.
cancelled = sdk.cancel("BTC", seen["oid"])
assert cancelled["response"]["data"]["statuses"] == ["success"], cancelled
assert status("service-1") == "CANCELED"
said("SDK", f"cancelled order {seen['oid']}")
said("service", "sees service-1: CANCELED")

# 4. The service sees an order of the SDK, and cancels it.
cloid = Cloid.from_int(uuid.uuid4().int)
resting = sdk.order("ETH", True, 0.05, 1_000, {"limit": {"tif": "Gtc"}}, cloid=cloid)
oid = resting["response"]["data"]["statuses"][0]["resting"]["oid"]
said("SDK", f"placed BUY 0.05 ETH at 1000: order {oid}")
listed = service("GET", "/api/trading/hyperliquid/orders", walletIdOrAddress=user, symbol="ETH")["data"]["orders"]
assert [it["orderId"] for it in listed] == [str(oid)], listed
said("service", f"sees order {listed[0]['orderId']}: {listed[0]['side']} {listed[0]['quantity']} at {listed[0]['price']}")
service("DELETE", f"/api/trading/hyperliquid/orders/{oid}", walletIdOrAddress=user, symbol="ETH")
assert info.query_order_by_cloid(address, cloid)["order"]["status"] == "canceled"
said("service", f"cancelled order {oid}")
said("SDK", f"sees order {oid}: canceled")

# 5. The SDK opens a position with a leverage that the service set, and the service closes it.
set_by_service = service("POST", "/api/trading/hyperliquid/leverage", {**name, "symbol": "ETH", "leverage": 7})["data"]
said("service", f"set the leverage of {set_by_service['symbol']} to {set_by_service['leverage']}")
opened = sdk.market_open("ETH", True, 0.5, slippage=0.01)
assert "filled" in opened["response"]["data"]["statuses"][0], opened
[held] = info.user_state(address)["assetPositions"]
assert (held["position"]["szi"], held["position"]["leverage"]["value"]) == ("0.5", 7), held
said("SDK", f"bought 0.5 ETH at the market: position {held['position']['szi']}, leverage 7")
path = f"/api/trading/hyperliquid/positions/{address}"
[position] = service("GET", path)["positions"]
assert (position["direction"], position["size"], position["leverage"]) == ("LONG", "0.5", 7), position
said("service", f"sees {position['direction']} {position['size']} {position['symbol']} from {position['entryPrice']}")
closed = service("POST", "/api/trading/hyperliquid/positions/close", {**name, "symbol": "ETH"})["data"]
assert closed["status"] == "FILLED", closed
assert info.user_state(address)["assetPositions"] == []
said("service", f"closed it: order {closed['orderId']}, {closed['status']} at {closed.get('averagePrice')}")
said("SDK", "sees no position")

# 6. The SDK changes the leverage and trades; the service reads both.
assert sdk.update_leverage(3, "BTC", is_cross=False)["status"] == "ok"
assert "filled" in sdk.market_open("BTC", False, 0.02, slippage=0.01)["response"]["data"]["statuses"][0]
[position] = service("GET", path)["positions"]
assert (position["direction"], position["leverage"], position["marginMode"]) == ("SHORT", 3, "ISOLATED"), position
said("SDK", "sold 0.02 BTC at the market with an isolated leverage of 3")
said("service", f"sees {position['direction']} {position['size']} {position['symbol']}, {position['marginMode']} at {position['leverage']}")
assert "filled" in sdk.market_close("BTC", slippage=0.01)["response"]["data"]["statuses"][0]
assert service("GET", path)["positions"] == []
said("SDK", "closed it, and the service sees no position")

# 7. Both list the same fills.
of_sdk = sorted(str(fill["tid"]) for fill in info.user_fills_by_time(address, 0))
fills = service("GET", "/api/trading/hyperliquid/fills", walletIdOrAddress=user)["data"]["fills"]
assert sorted(fill["fillId"] for fill in fills) == of_sdk and len(fills) == 4, fills
said("both", f"list the same {len(fills)} fills")
service("DELETE", "/api/trading/hyperliquid/apikey", walletIdOrAddress=user)
print("done")
