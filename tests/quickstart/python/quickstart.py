"""Creates a wallet, registers trading keys and places an order, with HyperDEX Keys and Python.

HYPERDEX_URL      the URL of HyperDEX Keys (default: http://127.0.0.1:3000)
HYPERDEX_API_KEY  the tenant key (not needed for a local stack without tenant keys)
HYPERLIQUID_URL   Hyperliquid's API (default: its test network). For the local stack: http://127.0.0.1:3001
"""

import os
import uuid

import requests
from eth_account import Account
from eth_account.messages import encode_defunct
from hyperliquid.exchange import Exchange
from hyperliquid.utils.constants import TESTNET_API_URL

API = os.environ.get("HYPERDEX_URL", "http://127.0.0.1:3000")
HYPERLIQUID = os.environ.get("HYPERLIQUID_URL", TESTNET_API_URL)

session = requests.Session()
session.headers["X-API-KEY"] = os.environ.get("HYPERDEX_API_KEY", "local")


def call(method, path, body=None, **query):
    """Sends a request. An Idempotency-Key makes the retry of a change safe."""
    headers = {} if method == "GET" else {"Idempotency-Key": str(uuid.uuid4())}
    # Retries with the same key if the response is lost or has a status of 500 or above.
    for last in (False, False, True):
        try:
            response = session.request(method, API + path, json=body, params=query, headers=headers, timeout=60)
        except requests.ConnectionError:
            if last:
                raise
            continue
        if response.status_code >= 500 and not last:
            continue
        break
    result = response.json()
    if not response.ok:
        raise SystemExit(f"{method} {path}: {result['code']}: {result['error']}. {result.get('message', '')}")
    return result


# 1. Create a wallet for one of your users. The same user always gets the same wallet.
user = f"python_{uuid.uuid4().hex[:8]}"
wallet = call("POST", "/api/wallets", {"userId": user})
print("wallet    ", wallet["address"])

# 2. Sign a message. Anyone can verify the signature.
text = "hello from Python"
signed = call("POST", f"/api/wallets/{user}/sign", {"message": text})
signer = Account.recover_message(encode_defunct(text=text), signature=signed["signature"])
assert signer == wallet["address"], "expected the wallet's signature"
print("signed by ", signer)

# 3. Register the wallet with both exchanges.
name = {"walletIdOrAddress": user}
aster = call("POST", "/api/trading/aster/apikey", name)["data"]
hyperliquid = call("POST", "/api/trading/hyperliquid/apikey", name)["data"]
print("Aster      agent", aster["agentAddress"])
print("Hyperliquid agent", hyperliquid["apiWalletAddress"])

# 4. Read the state of both keys. The response contains no secret. Aster's private key stays in the
# service.
for exchange in ("aster", "hyperliquid"):
    known = call("GET", f"/api/trading/{exchange}/apikey", walletIdOrAddress=user)["data"]
    assert known["state"] == "active" and known["walletAddress"] == wallet["address"]
    print(f"{exchange}: {known['state']}, automatic renewal: {known['autoRenew']}")

# 5. Place an order through the service, read it, and cancel it. Both exchanges take the same request.
# The clientOrderId makes a retry safe: the order executes at most once.
order = {"symbol": "ETH", "side": "BUY", "type": "LIMIT", "quantity": "0.02", "price": "1000"}
for exchange in ("aster", "hyperliquid"):
    orders = f"/api/trading/{exchange}/orders"
    placed = call("POST", orders, {**name, **order, "clientOrderId": "first-order"})["data"]
    read = call("GET", f"{orders}/first-order/status", walletIdOrAddress=user)["data"]
    assert (read["orderId"], read["status"]) == (placed["orderId"], "OPEN"), read
    cancelled = call("DELETE", f"{orders}/first-order", walletIdOrAddress=user)["data"]
    assert cancelled["status"] == "CANCELED", cancelled
    print(f"{exchange}: placed, read and cancelled order {placed['orderId']}")

# 6. Trade on Hyperliquid with the delivered key and the exchange's own SDK. Store the key securely:
# it is not shown again.
agent = Account.from_key(hyperliquid["apiPrivateKey"])
assert agent.address == hyperliquid["apiWalletAddress"]
sdk = Exchange(agent, HYPERLIQUID, account_address=wallet["address"])
placed = sdk.order("ETH", True, 0.01, 1_000.0, {"limit": {"tif": "Gtc"}})
assert placed["status"] == "ok", placed
print("order     ", placed["response"]["data"]["statuses"])

# 7. Rotate the key. The old key stops working.
rotated = call("POST", "/api/trading/hyperliquid/apikey/rotate", name)["data"]
new_agent = Account.from_key(rotated["apiPrivateKey"])
assert Exchange(new_agent, HYPERLIQUID).order("ETH", True, 0.01, 1_000.0, {"limit": {"tif": "Gtc"}})["status"] == "ok"
refused = sdk.order("ETH", True, 0.01, 1_000.0, {"limit": {"tif": "Gtc"}})
assert refused["status"] == "err", refused
print("rotated   ", rotated["apiWalletAddress"], "and the old key is refused:", refused["response"])
call("DELETE", "/api/trading/hyperliquid/apikey", walletIdOrAddress=user)

# 8. Rotate Aster's key. Its private key stays in the service, so only the address shows the change.
rotated = call("POST", "/api/trading/aster/apikey/rotate", name)["data"]
assert rotated["agentAddress"] != aster["agentAddress"]
print("rotated   ", rotated["agentAddress"], "on Aster")
call("DELETE", "/api/trading/aster/apikey", walletIdOrAddress=user)
gone = session.get(API + "/api/trading/aster/apikey", params={"walletIdOrAddress": user}, timeout=60)
assert gone.status_code == 404, gone.text
print("done")
