"""Recovery drills and the export of a wallet, with the commands that an operator and the holders use.

Runs the built program: `recovery.py PROGRAM`. Each drill loses a part of a local stack, restores it from the records, and
checks that every wallet signs under its old address. eth-account, which shares no code with the program, verifies the
signatures and opens the keystores. WALLETS sets the number of wallets (3), and SIGNED how many of them sign after each
drill (all).
"""

import contextlib
import json
import os
import pathlib
import pty
import signal
import subprocess
import sys
import tempfile
import termios
import time

import requests
from eth_account import Account
from eth_account.messages import encode_defunct

PROGRAM = os.path.abspath(sys.argv[1])
WALLETS = int(os.environ.get("WALLETS", "3"))
SIGNED = int(os.environ.get("SIGNED", WALLETS))
PASSPHRASE = "practice passphrase"
TEXT = "signed after the recovery"

started = time.monotonic()


def step(text):
    print(f"{time.monotonic() - started:7.1f} s  {text}", flush=True)


def run(*arguments, fails=False):
    done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, env=ENVIRONMENT, timeout=1800)
    if (done.returncode != 0) != fails:
        sys.exit(f"hyperdex {' '.join(map(str, arguments))}: {done.returncode}\n{done.stdout}{done.stderr}")
    assert PASSPHRASE not in done.stdout + done.stderr
    return done.stderr if fails else done.stdout


class Stack:
    """A local stack on free ports."""

    def __init__(self, data, *arguments):
        self.data, self.urls = data, {}
        ports = [part for name in ("", "hyperliquid-", "aster-") for part in (f"--{name}port", "0")]
        command = [PROGRAM, "--data-dir", data, "--payment-delay-seconds", "0", "--key-rate-limit", "0", *ports, *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT)
        self.lines = []
        for line in self.process.stdout:
            self.lines.append(line)
            words = line.split()
            if len(words) > 1 and words[1].startswith("http"):
                self.urls[words[0]] = words[1].rstrip("/")
            if line.startswith("Ctrl-C"):
                break

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) == 0

    def call(self, method, path, body=None):
        url = self.urls["API"] + path
        response = requests.request(method, url, json=body, headers={"X-API-KEY": "local"}, timeout=60)
        assert response.status_code in (200, 201), (path, response.status_code, response.text)
        return response.json()["data"] if "data" in response.json() else response.json()

    def has_recovery_key(self):
        return self.call("GET", "/api/health")["recoveryKey"]

    def signs(self, wallets):
        begun, signers = time.monotonic(), list(wallets.items())[:SIGNED]
        for user, address in signers:
            signed = self.call("POST", f"/api/wallets/{user}/sign", {"message": TEXT})
            signature = signed["signature"]
            assert Account.recover_message(encode_defunct(text=TEXT), signature=signature) == address, user
        step(f"  {len(signers)} wallets sign under their addresses ({time.monotonic() - begun:.1f} s)")

    def lose(self, table):
        headers = {
            "X-Amz-Target": "DynamoDB_20120810.DeleteTable",
            "Content-Type": "application/x-amz-json-1.0",
            "Authorization": "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0",
        }
        response = requests.post(self.urls["DynamoDB"] + "/", json={"TableName": table}, headers=headers, timeout=60)
        assert response.status_code == 200, response.text


def opens(keystore, passphrase, address):
    """Opens a keystore with eth-account, and signs with its key."""
    key = Account.decrypt(json.loads(keystore.read_text()), passphrase)
    account = Account.from_key(key)
    assert account.address == address
    signed = account.sign_message(encode_defunct(text=TEXT))
    assert Account.recover_message(encode_defunct(text=TEXT), signature=signed.signature) == address


def restore(desk, data, side, records):
    """Restores a side as an operator and a holder would."""
    transport, halves = desk / f"transport-{time.time_ns()}", desk / f"halves-{time.time_ns()}"
    other = "cosigner" if side == "endpoint" else "endpoint"
    fingerprint = run("--data-dir", data, "recovery", "begin", "--side", side, "--out", transport).split()[0]
    shown = run("--data-dir", data, "recovery", "show-transport", "--side", side, "--transport", transport).split()[0]
    assert shown == fingerprint
    holder = ["--side", side, "--key", desk / f"{side}.pem", "--passphrase-file", desk / "passphrase"]
    files = ["--records", records[side], "--other-records", records[other], "--transport", transport]
    refused = run("recovery", "open", *holder, *files, "--fingerprint", "0000", "--out", halves, fails=True)
    assert "fingerprint" in refused and fingerprint not in refused, refused
    run("recovery", "open", *holder, *files, "--fingerprint", fingerprint, "--out", halves)
    begun = time.monotonic()
    said = run("--data-dir", data, "recovery", "import", "--side", side, "--transport", transport, "--halves", halves)
    step(f"  {said.splitlines()[-1]} ({time.monotonic() - begun:.1f} s)")


def refresh(data, records):
    """Has the job complete the shares of a restored cosigner, which the wallets' table does not show."""
    said = run("--data-dir", data, "recovery", "request-refresh", "--records", records["endpoint"])
    assert f"{WALLETS} wallets; 0 were not found" in said, said
    if SIGNED < WALLETS:
        return  # the first signatures complete them
    summary = {"more": True}
    while summary["more"]:
        summary = json.loads(run("--data-dir", data, "jobs", "run", "refresh"))
        assert summary["failed"] == 0, summary
    step(f"  {said.splitlines()[-1]} The job completed them.")


def interrupted(desk):
    """Presses Ctrl-C at the prompt for a passphrase. The terminal must show what is typed again."""
    arguments = [PROGRAM, "recovery", "keygen", "--side", "endpoint", "--out", str(desk / "interrupted.pem")]
    child, terminal = pty.fork()
    if child == 0:
        os.execve(PROGRAM, arguments, ENVIRONMENT)

    def shows():
        return bool(termios.tcgetattr(terminal)[3] & termios.ECHO)

    said, deadline = b"", time.monotonic() + 30
    while b"passphrase" not in said:
        said += os.read(terminal, 1024)
    while shows():
        assert time.monotonic() < deadline, said
        time.sleep(0.01)
    os.write(terminal, b"\x03")
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) != 0 and shows(), said
    assert not (desk / "interrupted.pem").exists()
    os.close(terminal)


def export(desk, data, name):
    records = {side: desk / f"{name}-{side}.records" for side in ("endpoint", "cosigner")}
    for side, path in records.items():
        run("--data-dir", data, "recovery", "export", "--side", side, "--out", path)
    return records


def drills(desk):
    for holder in ("endpoint", "cosigner"):
        secret = ["--passphrase-file", desk / "passphrase"]
        key = run("recovery", "keygen", "--side", holder, "--out", desk / f"{holder}.pem", *secret).split()[0]
        KEYS.append(key)
    refused = run("recovery", "keygen", "--side", "endpoint", "--out", desk / "none" / "key.pem", *secret, fails=True)
    assert f"the directory {desk / 'none'} does not exist" in refused, refused
    shared = f"{KEYS[0]},{KEYS[0].replace('endpoint:', 'cosigner:')}"
    refused = run("--data-dir", desk / "shared", "--recovery-keys", shared, fails=True)
    assert "different" in refused, refused
    interrupted(desk)
    data = desk / "data"
    with Stack(data) as stack:
        assert any("NO RECOVERY KEY" in line for line in stack.lines)
        assert stack.has_recovery_key() is False
    with Stack(data, "--recovery-keys", ",".join(KEYS)) as stack:
        begun = time.monotonic()
        for number in range(WALLETS):
            stack.call("POST", "/api/wallets", {"userId": f"user_{number}"})
        step(f"{WALLETS} wallets created ({time.monotonic() - begun:.1f} s)")
        wallets = {f"user_{n}": stack.call("GET", f"/api/wallets/user_{n}")["address"] for n in range(WALLETS)}
        begun = time.monotonic()
        records = export(desk, data, "monthly")
        step(f"records of both sides exported ({time.monotonic() - begun:.1f} s)")
        (desk / "addresses").write_text("\n".join(wallets.values()))
        for side, other in (("endpoint", "cosigner"), ("cosigner", "endpoint")):
            holder = ["--side", side, "--key", desk / f"{side}.pem", "--passphrase-file", desk / "passphrase"]
            files = ["--records", records[side], "--other-records", records[other], "--wallets", desk / "addresses"]
            begun = time.monotonic()
            said = run("recovery", "verify", *holder, *files, "--report", desk / f"{side}.report")
            step(f"{side}: {said.splitlines()[-1]} ({time.monotonic() - begun:.1f} s)")
            run("--data-dir", data, "recovery", "report", "--side", side, "--report", desk / f"{side}.report")
            report = json.loads((desk / f"{side}.report").read_text())
            report["verification"]["verifiedAtMs"] += 3_600_000
            (desk / "ahead.report").write_text(json.dumps(report))
            refused = run("--data-dir", data, "recovery", "report", "--side", side, "--report", desk / "ahead.report", fails=True)
            assert "ahead of the stack's clock" in refused, refused
        wrong = ["--side", "endpoint", "--key", desk / "cosigner.pem", "--passphrase-file", desk / "passphrase"]
        refused = run("recovery", "verify", *wrong, "--records", records["endpoint"], "--partial", fails=True)
        assert len(refused.splitlines()) == 1, refused

    for side, table in (("endpoint", "hyperdex-wallets"), ("cosigner", "hyperdex-cosigner")):
        with Stack(data) as stack:
            assert stack.has_recovery_key() is True, "the keys are kept in the data directory"
            records = export(desk, data, f"before-{side}")
            stack.lose(table)
        with Stack(data) as stack:
            step(f"lost: the {side} side's table")
            restore(desk, data, side, records)
            if side == "cosigner":
                refresh(data, records)
            stack.signs(wallets)

    with Stack(data):
        records = export(desk, data, "before-both")
    new = desk / "new"
    with Stack(new, "--recovery-keys", ",".join(KEYS)) as stack:
        step("lost: both sides with their keys; a new stack")
        for side in ("endpoint", "cosigner"):
            restore(desk, new, side, records)
        stack.signs(wallets)
        step("  " + run("audit", "verify", "--endpoint", stack.urls["DynamoDB"]).splitlines()[-1])

    combined = desk / "combined.json"
    both = [
        part
        for side in ("endpoint", "cosigner")
        for name, path in (("key", f"{side}.pem"), ("passphrase-file", "passphrase"), ("records", records[side]))
        for part in (f"--{side}-{name}", desk / path)
    ]
    run("recovery", "combine", "--wallet", "user_0", *both, "--out", combined, "--passphrase-file", desk / "passphrase")
    opens(combined, PASSPHRASE, wallets["user_0"])
    step("lost: everything but the records; eth-account opens the combined keystore")
    exported(desk, new, wallets)


def exported(desk, data, wallets):
    """Exports one wallet under the policy, and opens it at the recipient."""
    recipient = run("recovery", "recipient-key", "--out", desk / "recipient.pem", "--passphrase-file", desk / "passphrase")
    recipient = recipient.split()[0]
    with Stack(data) as stack:
        wallet = stack.call("GET", "/api/wallets/user_1")
        lines = export(desk, data, "export")["endpoint"].read_text().splitlines()
        records = [json.loads(line) for line in lines[1:-1]]
        version = next(record["keyVersion"] for record in records if record["walletId"] == wallet["walletId"])
        change = ["--wallet-id", wallet["walletId"], "--address", wallet["address"], "--share-version", version]
        change += ["--recipient", recipient, "--until", int(time.time()) + 3600]
        said = run("--data-dir", data, "policy", "propose", "export-wallet", *change, "--key", data / "approver-key.pem")
        step("export: the approvers' change is in effect")
        exports = stack.call("GET", "/api/policy")["exports"]
        assert [export["walletId"] for export in exports] == [wallet["walletId"]], said
        asked = ["--wallet-id", wallet["walletId"], "--share-version", version, "--recipient", recipient]
        wrong = ["--change", exports[0]["change"] + 1, "--out", desk / "export.json"]
        assert "not allowed" in run("--data-dir", data, "recovery", "export-wallet", *asked, *wrong, fails=True)
        run("--data-dir", data, "recovery", "export-wallet", *asked, "--change", exports[0]["change"], "--out", desk / "export.json")
        assert stack.call("GET", "/api/wallets/user_1")["exported"]
        stack.signs({"user_1": wallets["user_1"]})
    secrets = ["--passphrase-file", desk / "passphrase", "--keystore-passphrase-file", desk / "passphrase"]
    keystore = desk / "keystore.json"
    run("recovery", "open-export", "--export", desk / "export.json", "--key", desk / "recipient.pem", "--out", keystore, *secrets)
    opens(keystore, PASSPHRASE, wallets["user_1"])
    step("export: eth-account opens the recipient's keystore, and signs for the address")
    step("  " + run("--data-dir", data, "audit", "verify").splitlines()[-1])  # reads the stopped stack's files


ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("HYPERLIQUID_", "ASTER_", "RECOVERY_"))}
ENVIRONMENT.setdefault("RUST_LOG", "error")
KEYS = []

with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack():
    desk = pathlib.Path(folder)
    (desk / "passphrase").write_text(PASSPHRASE + "\n")
    drills(desk)
