"""Calls a stack through the client that openapi-python-client makes of its OpenAPI document.

`.ci/openapi` generates the package hyperdex_keys_client next to this file and runs it.

HYPERDEX_URL      the base URL of the stack
HYPERDEX_API_KEY  the tenant key
"""

import os
import re
import uuid
from typing import TypeVar

from hyperdex_keys_client import AuthenticatedClient, Client
from hyperdex_keys_client.api.agents import list_hyperliquid_agents
from hyperdex_keys_client.api.credentials import (
    delete_aster_api_key,
    delete_hyperliquid_api_key,
    get_aster_api_key,
    get_hyperliquid_api_key,
    register_aster,
    register_hyperliquid,
    rotate_aster_api_key,
    rotate_hyperliquid_api_key,
)
from hyperdex_keys_client.api.other_exchanges import register_elsewhere
from hyperdex_keys_client.api.service import get_health
from hyperdex_keys_client.api.wallets import create_wallet, get_wallet, list_wallets, sign_message
from hyperdex_keys_client.models import (
    AgentRoleName,
    CreateWallet,
    Error,
    RegisterApiKey,
    RotateApiKey,
    SignMessage,
    State,
)
from hyperdex_keys_client.types import UNSET, Response, Unset

T = TypeVar("T")


def equal(left: object, right: object) -> None:
    if left != right:
        raise SystemExit(f"{left!r} is not {right!r}")


def once() -> str:
    """Returns an Idempotency-Key, which makes a retry safe. A new request needs a new one."""
    return str(uuid.uuid4())


def succeeded(body: T | Error | None) -> T:
    """Returns the body of a success, and fails with the code and the message of an error."""
    if isinstance(body, Error):
        raise SystemExit(f"{body.code}: {body.error}. {body.message}")
    if body is None:
        raise SystemExit("the status is not in the document")
    return body


def failed(response: Response[T | Error], status: int, code: str) -> None:
    """Compares a typed error with this status and code."""
    equal(response.status_code, status)
    if not isinstance(response.parsed, Error):
        raise SystemExit(f"{response.parsed!r} is not an error")
    equal((response.parsed.success, response.parsed.code), (False, code))
    if not response.parsed.message or response.parsed.timestamp <= 0:
        raise SystemExit(f"{response.parsed!r} lacks the next action or the time")


def main() -> None:
    url = os.environ["HYPERDEX_URL"]
    client = AuthenticatedClient(
        url, os.environ["HYPERDEX_API_KEY"], prefix="", auth_header_name="X-API-KEY", raise_on_unexpected_status=True
    )
    equal(succeeded(get_health.sync(client=Client(url))).status, "ok")

    user = f"python_{uuid.uuid4().hex[:8]}"
    key = once()
    created = create_wallet.sync_detailed(client=client, body=CreateWallet(user_id=user), idempotency_key=key)
    wallet = succeeded(created.parsed)
    equal(created.status_code, 201)
    equal(succeeded(get_wallet.sync(user, client=client)), wallet)

    named = RegisterApiKey(wallet_id_or_address=user)
    aster = succeeded(register_aster.sync(client=client, body=named, idempotency_key=once())).data
    equal(aster.signer_address, wallet.address)
    hyperliquid = succeeded(register_hyperliquid.sync(client=client, body=named, idempotency_key=once())).data
    equal(hyperliquid.main_wallet_address, wallet.address)
    secret = hyperliquid.api_private_key
    if isinstance(secret, Unset) or not re.fullmatch("0x[0-9a-f]{64}", secret):
        raise SystemExit("the response has no private key")

    listed: list[str] = []
    cursor: str | None | Unset = UNSET
    while cursor is not None:
        page = succeeded(list_wallets.sync(client=client, limit=1, cursor=cursor))
        listed += [row.wallet_id for row in page.wallets]
        cursor = page.next_cursor
    equal(wallet.wallet_id in listed, True)
    agents = succeeded(list_hyperliquid_agents.sync(client=client, wallet_id_or_address=user)).data.agents
    roles = [row.role for row in agents if row.agent_address == hyperliquid.api_wallet_address]
    equal(roles, [AgentRoleName.CURRENT])

    message = "Hello from a generated client"
    signed = succeeded(
        sign_message.sync(user, client=client, body=SignMessage(message=message), idempotency_key=once())
    )
    equal((signed.message, signed.wallet_id), (message, wallet.wallet_id))
    equal(bool(re.fullmatch("0x[0-9a-f]{128}(1b|1c)", signed.signature)), True)

    rotation = RotateApiKey(wallet_id_or_address=user)
    rotated = succeeded(rotate_aster_api_key.sync(client=client, body=rotation, idempotency_key=once())).data
    equal(rotated.previous_agent_address, aster.agent_address)
    moved = succeeded(rotate_hyperliquid_api_key.sync(client=client, body=rotation, idempotency_key=once())).data
    equal(moved.previous_agent_address, hyperliquid.api_wallet_address)

    failed(get_wallet.sync_detailed(f"nobody_{once()}", client=client), 404, "WALLET_NOT_FOUND")
    other = CreateWallet(user_id=f"{user}_2")
    reused = create_wallet.sync_detailed(client=client, body=other, idempotency_key=key)
    failed(reused, 422, "IDEMPOTENCY_KEY_REUSED")
    failed(register_elsewhere.sync_detailed("lighter", client=client), 400, "EXCHANGE_NOT_SUPPORTED")

    for read, delete in (
        (get_aster_api_key, delete_aster_api_key),
        (get_hyperliquid_api_key, delete_hyperliquid_api_key),
    ):
        equal(succeeded(read.sync(client=client, wallet_id_or_address=user)).data.state, State.ACTIVE)
        gone = succeeded(delete.sync(client=client, wallet_id_or_address=user, idempotency_key=once())).data
        equal(gone.wallet_id, wallet.wallet_id)
        failed(read.sync_detailed(client=client, wallet_id_or_address=user), 404, "API_KEY_NOT_FOUND")
    print(f"Python: {wallet.address} was created, registered, rotated and deregistered")


if __name__ == "__main__":
    main()
