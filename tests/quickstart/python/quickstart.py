"""From no wallet to an order: HyperDEX Keys with Python.

HYPERDEX_URL      where HyperDEX Keys answers; http://127.0.0.1:3000 if not set
HYPERDEX_API_KEY  the X-API-KEY; a local stack without keys wants none
HYPERLIQUID_URL   Hyperliquid's API; its test network if not set. For the local stack: http://127.0.0.1:3001
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
    """One request. What changes something carries a name of its own, so that it is done once."""
    headers = {} if method == "GET" else {"Idempotency-Key": str(uuid.uuid4())}
    # Repeated as it is when the answer is lost or says that it may be: it goes on where it stopped.
    for last in (False, False, True):
        try:
            answer = session.request(method, API + path, json=body, params=query, headers=headers, timeout=60)
        except requests.ConnectionError:
            if last:
                raise
            continue
        if answer.status_code >= 500 and not last:
            continue
        break
    said = answer.json()
    if not answer.ok:
        raise SystemExit(f"{method} {path}: {said['code']}: {said['error']}. {said.get('message', '')}")
    return said


# 1. A wallet for a user of yours. The same user always gets the same wallet.
user = f"python_{uuid.uuid4().hex[:8]}"
wallet = call("POST", "/api/wallets", {"userId": user})
print("wallet    ", wallet["address"])

# 2. It signs: here a message, which anyone can check.
text = "hello from Python"
signed = call("POST", f"/api/wallets/{user}/sign", {"message": text})
signer = Account.recover_message(encode_defunct(text=text), signature=signed["signature"])
assert signer == wallet["address"], "the wallet has signed"
print("signed by ", signer)

# 3. Register it with both exchanges.
name = {"walletIdOrAddress": user}
aster = call("POST", "/api/trading/aster/apikey", name)["data"]
hyperliquid = call("POST", "/api/trading/hyperliquid/apikey", name)["data"]
print("Aster      agent", aster["agentAddress"])
print("Hyperliquid agent", hyperliquid["apiWalletAddress"])

# 4. Read what they are. Never a secret: Aster's key stays in the service, for what you run there.
for exchange in ("aster", "hyperliquid"):
    known = call("GET", f"/api/trading/{exchange}/apikey", walletIdOrAddress=user)["data"]
    assert known["state"] == "active" and known["walletAddress"] == wallet["address"]
    print(f"{exchange}: {known['state']}, renewed by itself: {known['autoRenew']}")

# 5. Trade on Hyperliquid with the delivered key and the exchange's own SDK. Keep the key as you keep
#    any secret; it is not shown again.
agent = Account.from_key(hyperliquid["apiPrivateKey"])
assert agent.address == hyperliquid["apiWalletAddress"]
exchange = Exchange(agent, HYPERLIQUID, account_address=wallet["address"])
placed = exchange.order("ETH", True, 0.01, 1_000.0, {"limit": {"tif": "Gtc"}})
assert placed["status"] == "ok", placed
print("order     ", placed["response"]["data"]["statuses"])

# 6. Put a new key in its place, and take it away. What traded with the old one stops.
rotated = call("POST", "/api/trading/hyperliquid/apikey/rotate", name)["data"]
new_agent = Account.from_key(rotated["apiPrivateKey"])
assert Exchange(new_agent, HYPERLIQUID).order("ETH", True, 0.01, 1_000.0, {"limit": {"tif": "Gtc"}})["status"] == "ok"
refused = exchange.order("ETH", True, 0.01, 1_000.0, {"limit": {"tif": "Gtc"}})
assert refused["status"] == "err", refused
print("rotated   ", rotated["apiWalletAddress"], "and the old key is refused:", refused["response"])
call("DELETE", "/api/trading/hyperliquid/apikey", walletIdOrAddress=user)

# 7. The same with Aster's key. Its private key stays in the service, so only the address shows the change.
rotated = call("POST", "/api/trading/aster/apikey/rotate", name)["data"]
assert rotated["agentAddress"] != aster["agentAddress"]
print("rotated   ", rotated["agentAddress"], "on Aster")
call("DELETE", "/api/trading/aster/apikey", walletIdOrAddress=user)
gone = session.get(API + "/api/trading/aster/apikey", params={"walletIdOrAddress": user}, timeout=60)
assert gone.status_code == 404, gone.text
print("done")
