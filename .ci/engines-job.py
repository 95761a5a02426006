"""Runs the service's main calls against a stack, and checks its DynamoDB and KMS.

    engines-job.py API DYNAMODB KMS REPORT

Covers what infra/smoke.sh, which runs before, does not. The program ends at the first failed check. Each line of REPORT
is a difference between this engine and AWS.
"""

import base64
import concurrent.futures
import hashlib
import hmac
import http.server
import json
import queue
import sys
import threading
import time
import urllib.error
import urllib.request

import boto3
import botocore.config
from botocore.exceptions import ClientError

API, DYNAMODB, KMS, REPORT = sys.argv[1:]
WALLETS, COSIGNER = "hyperdex-wallets", "hyperdex-cosigner"
KEYS = ("alias/hyperdex-wallets", "alias/hyperdex-cosigner")
RUN = f"{int(time.time())}"

config = botocore.config.Config(retries={"max_attempts": 0}, read_timeout=30, connect_timeout=5)
session = boto3.session.Session("test", "test", region_name="us-east-1")
dynamodb = session.client("dynamodb", endpoint_url=DYNAMODB, config=config)
kms = session.client("kms", endpoint_url=KMS, config=config)
differences = []


def check(fact, what, shown=""):
    if not fact:
        raise SystemExit(f"FAILED: {what} {shown}")
    print(f"ok  {what}", flush=True)


def call(method, path, body=None, tries=5, **headers):
    """Sends a request to the API, and returns the status and the body. Retries a 503, as its message advises."""
    status, reply = send(method, path, body, headers)
    while status == 503 and tries > 1:
        time.sleep(reply.get("retryAfterSeconds", 1))
        tries -= 1
        status, reply = send(method, path, body, headers)
    return status, reply


def send(method, path, body, headers):
    request = urllib.request.Request(f"{API}{path}", method=method)
    request.add_header("Content-Type", "application/json")
    request.add_header("X-API-KEY", "local")
    for name, value in headers.items():
        request.add_header(name.replace("_", "-"), value)
    data = json.dumps(body).encode() if body is not None else None
    try:
        with urllib.request.urlopen(request, data, timeout=60) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def wallet(user):
    status, body = call("POST", "/api/wallets", {"userId": user})
    if status not in (200, 201):
        raise SystemExit(f"FAILED: creating {user}: {status} {body}")
    return status, body


def sign(name, tries=5):
    return call("POST", f"/api/wallets/{name}/sign", {"message": "hi"}, tries)


def register(exchange, user, **headers):
    return call("POST", f"/api/trading/{exchange}/apikey", {"walletIdOrAddress": user}, **headers)


def refused(code, function):
    """Returns whether AWS's client raises this error."""
    try:
        function()
    except ClientError as error:
        return error.response["Error"]["Code"] == code, error.response["Error"]
    return False, "it was not refused"


def at_once(function, count=8):
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return list(pool.map(lambda _: function(), range(count)))


def races():
    made = at_once(lambda: wallet(f"race-{RUN}"))
    statuses = sorted(status for status, _ in made)
    check(statuses == [200] * 7 + [201], "one of 8 concurrent creations makes the wallet", statuses)
    check(len({body["walletId"] for _, body in made}) == 1, "all 8 return the same wallet")
    for exchange in ("aster", "hyperliquid"):
        statuses = [status for status, _ in at_once(lambda: register(exchange, f"race-{RUN}"), 4)]
        check(statuses.count(200) == 1, f"one of 4 concurrent registrations with {exchange} succeeds", statuses)
        check(set(statuses) <= {200, 409, 429, 503}, "the others are refused", statuses)


def idempotency():
    wallet(f"again-{RUN}")
    key = f"key-{RUN}"
    first = register("hyperliquid", f"again-{RUN}", Idempotency_Key=key)
    check(first[0] == 200, "a registration with an Idempotency-Key succeeds", first[0])
    again = register("hyperliquid", f"again-{RUN}", Idempotency_Key=key)
    check(again == first, "the same Idempotency-Key returns the same result")
    other = register("hyperliquid", f"race-{RUN}", Idempotency_Key=key)
    check(other[0] == 422, "the same key with another body is refused", other[0])
    check(register("hyperliquid", f"again-{RUN}")[0] == 409, "without the key it counts as a second registration")


def pagination():
    made = {wallet(f"page-{RUN}-{number}")[1]["walletId"] for number in range(5)}
    for _ in range(20):
        seen, cursor = [], ""
        while True:
            status, page = call("GET", f"/api/wallets?limit=2{cursor}")
            check_quietly(status == 200 and len(page["wallets"]) <= 2, f"a page: {status}")
            seen += [entry["walletId"] for entry in page["wallets"]]
            if not page["nextCursor"]:
                break
            cursor = f"&cursor={page['nextCursor']}"
        if made <= set(seen):
            break
        time.sleep(0.25)
    check(made <= set(seen), "the list contains every wallet")
    check(len(seen) == len(set(seen)), "no wallet is listed twice")


def check_quietly(fact, what):
    if not fact:
        raise SystemExit(f"FAILED: {what}")


class Receiver(http.server.BaseHTTPRequestHandler):
    """A tenant's receiver. Stores deliveries in `arrived`."""

    arrived = queue.Queue()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.arrived.put((dict(self.headers.items()), body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


def webhooks():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/hook"
    status, made = call("POST", "/api/webhooks", {"url": url})
    check(status == 201, "a webhook is created", status)
    wallet(f"hook-{RUN}")
    seen = arrival("wallet.created", f"hook-{RUN}")
    headers = {name.lower(): value for name, value in seen[0].items()}
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + seen[1]
    secret = base64.b64decode(made["secret"].removeprefix("whsec_"))
    mac = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
    check(f"v1,{mac}" in headers["webhook-signature"].split(), "wallet.created arrives with a valid signature")
    check(register("aster", f"hook-{RUN}")[0] == 200, "a registration succeeds")
    arrival("credential.active", "")
    check(True, "credential.active arrives")
    status, _ = call("DELETE", f"/api/webhooks/{made['webhook']['webhookId']}")
    check(status == 200, "the webhook is deleted", status)
    server.shutdown()


def arrival(kind, text):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            seen = Receiver.arrived.get(timeout=1)
        except queue.Empty:
            continue
        if json.loads(seen[1])["type"] == kind and text.encode() in seen[1]:
            return seen
    raise SystemExit(f"FAILED: {kind} does not arrive within 30 seconds")


def conditions():
    """Checks the behaviour of DynamoDB that the service relies on."""
    made = wallet(f"race-{RUN}")[1]
    key = {"pk": {"S": f"local#W#{made['walletId']}"}, "sk": {"S": "record"}}
    record = dynamodb.get_item(TableName=WALLETS, Key=key, ConsistentRead=True)["Item"]
    put = {"TableName": WALLETS, "Item": record, "ConditionExpression": "attribute_not_exists(pk)"}
    fact, error = refused("ConditionalCheckFailedException", lambda: dynamodb.put_item(**put))
    check(fact, "a conditional write on an existing item is refused", error)
    fresh = {"TableName": WALLETS, "Item": {**record, "pk": {"S": f"probe-{RUN}"}}}
    try:
        dynamodb.transact_write_items(TransactItems=[{"Put": fresh}, {"Put": put}])
        check(False, "a transaction with one false condition is refused")
    except ClientError as error:
        reasons = [reason["Code"] for reason in error.response["CancellationReasons"]]
    check(reasons == ["None", "ConditionalCheckFailed"], "the error names the condition", reasons)
    probe = dynamodb.get_item(TableName=WALLETS, Key={"pk": {"S": f"probe-{RUN}"}, "sk": {"S": "record"}})
    check("Item" not in probe, "the transaction writes nothing")
    for table, stream in ((WALLETS, True), (COSIGNER, False)):
        described = dynamodb.describe_table(TableName=table)["Table"]
        enabled = described.get("StreamSpecification", {}).get("StreamEnabled", False)
        check(enabled == stream, f"{table} has a stream: {stream}")
        ttl = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
        check(ttl.get("AttributeName") == "expiresAtS", f"{table} expires by expiresAtS", ttl)


def moved_ciphertexts():
    """Checks that a share of either party does not decrypt after a move to another wallet."""
    first, second = (wallet(f"move-{RUN}-{number}")[1]["walletId"] for number in range(2))
    for table, sort in ((WALLETS, "share"), (COSIGNER, "share#1")):
        keys = [{"pk": {"S": f"local#W#{name}"}, "sk": {"S": sort}} for name in (first, second)]
        items = [dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True)["Item"] for key in keys]
        dynamodb.put_item(TableName=table, Item={**items[1], "sealed": items[0]["sealed"]})
        status, _ = sign(second, tries=1)
        check(status >= 500, f"a share of {table} from another wallet does not sign", status)
        wrapped = items[0]["sealed"]["M"]["k"]["B"]
        fact, error = refused("InvalidCiphertextException", lambda: kms.decrypt(CiphertextBlob=wrapped))
        check(fact, "its data key does not decrypt without its encryption context", error)
        dynamodb.put_item(TableName=table, Item=items[1])
        status, body = sign(second)
        check(status == 200, "the wallet signs again with its own share", f"{status} {body}")


def rotation():
    before = wallet(f"rotation-{RUN}")[1]["walletId"]
    for key in KEYS:
        status = kms.get_key_rotation_status(KeyId=key)
        check(status["KeyRotationEnabled"], f"{key} is rotated yearly", status)
    try:
        for key in KEYS:
            kms.rotate_key_on_demand(KeyId=key)
    except ClientError as error:
        differences.append(f"KMS: RotateKeyOnDemand is not supported ({error.response['Error']['Code']})")
        print(f"off {differences[-1]}", flush=True)
        return
    check(sign(before)[0] == 200, "a wallet from before the rotation signs")
    after = wallet(f"rotation-{RUN}-after")[1]["walletId"]
    check(sign(after)[0] == 200, "a wallet from after the rotation signs")
    rotations = [len(kms.list_key_rotations(KeyId=key)["Rotations"]) for key in KEYS]
    check(rotations == [1, 1], "both keys list one rotation", rotations)


for part in (races, idempotency, pagination, webhooks, conditions, moved_ciphertexts, rotation):
    part()
status, health = call("GET", "/api/health")
check(status == 200, "the service is healthy at the end", health)
with open(REPORT, "w") as file:
    file.write("".join(f"{line}\n" for line in differences))
