"""Deploys the three templates on MiniStack, and calls the API through its API Gateway.

    engines-deploy.py ENDPOINT FUNCTIONS HYPERLIQUID_URL ASTER_URL REPORT

FUNCTIONS is a folder of binaries with the names of their functions. A function without a binary gets a placeholder that
is never called. Each line of REPORT is a difference from AWS, or a resource type that was left out.
"""

import copy
import glob
import io
import json
import os
import re
import sys
import time
import urllib.error
import urllib.request
import zipfile

import boto3
import botocore.config
from samtranslator.public.translator import ManagedPolicyLoader  # noqa: F401  (fails early without the translator)
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

ENDPOINT, FUNCTIONS, HYPERLIQUID, ASTER, REPORT = sys.argv[1:]
REGION = "us-east-1"
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TEMPLATES = {"main": "template.yaml", "cosigner": "infra/cosigner.yaml", "monitoring": "infra/monitoring.yaml"}
BUCKET = "templates"

# Types that MiniStack cannot create. A value is the type that is deployed in its place.
LEFT_OUT = {
    "AWS::EC2::EIP": None,
    "AWS::EC2::NatGateway": None,
    "AWS::IAM::RolePolicy": "AWS::IAM::Policy",
}

# Variants of the main stack: a name, and the parameters that differ from the defaults.
VARIANTS = {
    "defaults": {},
    "log-role-elsewhere": {"ManageApiGatewayLogRole": "false"},
    "single-region-keys": {"MultiRegionKeys": "false"},
    "separate-cosigner": {},
}

config = botocore.config.Config(retries={"max_attempts": 0}, read_timeout=120, connect_timeout=5)
session = boto3.session.Session("test", "test", region_name=REGION)


def client(service):
    return session.client(service, endpoint_url=ENDPOINT, config=config)


found = []


def report(line):
    if line not in found:
        found.append(line)
        print(f"  {line}", flush=True)


def check(fact, what, shown=""):
    if not fact:
        raise SystemExit(f"FAILED: {what} {shown}")
    print(f"ok  {what}", flush=True)


def package(folder):
    """Returns the name of the package in a folder of the repository, which is also its binary's name."""
    with open(os.path.join(ROOT, folder, "Cargo.toml")) as manifest:
        return re.search(r'^name = "(.*)"$', manifest.read(), re.MULTILINE)[1]


def archive(name):
    """Returns the zip of a function's binary."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        path = os.path.join(FUNCTIONS, name)
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o755 << 16
        entry.compress_type = zipfile.ZIP_DEFLATED
        if os.path.exists(path):
            with open(path, "rb") as binary:
                file.writestr(entry, binary.read())
        else:
            file.writestr(entry, "#!/bin/sh\nexit 1\n")
    return data.getvalue()


def expand(name, s3):
    """Returns a template as `sam deploy` sends it: with code in S3, and expanded by AWS's own translator."""
    with open(os.path.join(ROOT, TEMPLATES[name])) as file:
        template = yaml_parse(file.read())
    for resource in template["Resources"].values():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Serverless::Function":
            function = package(properties["CodeUri"].removeprefix("../"))
            properties["CodeUri"] = f"s3://{BUCKET}/{function}.zip"
        elif resource["Type"] == "AWS::CloudFormation::Stack":
            nested = os.path.basename(properties["TemplateURL"]).removesuffix(".yaml")
            properties["TemplateURL"] = f"{ENDPOINT}/{BUCKET}/{nested}.json"
    translated = Translator({}, Parser()).translate(template, {})
    for resource in translated["Resources"].values():
        # Uses the simulators on this machine as exchanges.
        variables = resource.get("Properties", {}).get("Environment", {}).get("Variables", {})
        for variable, url in (("HYPERLIQUID_URL", HYPERLIQUID), ("ASTER_URL", ASTER)):
            if variable in variables:
                variables[variable] = url
        if "TENANT_WITHOUT_KEY" in variables:
            variables["TENANT_WITHOUT_KEY"] = "local"
            report("API Gateway: events lack requestContext.identity.apiKeyId (TENANT_WITHOUT_KEY is set instead)")
    return leave_out(translated)


def leave_out(template):
    resources = template["Resources"]
    for name, resource in list(resources.items()):
        kind = resource["Type"]
        if kind == "AWS::CloudWatch::Alarm" and "Metrics" in resource["Properties"]:
            del resources[name]
            report(f"left out: the alarm {name}, whose metric is an expression")
            continue
        if kind not in LEFT_OUT:
            continue
        instead = LEFT_OUT[kind]
        if instead is None:
            del resources[name]
            report(f"left out: {kind}")
            continue
        resource["Type"] = instead
        resource["Properties"]["Roles"] = [resource["Properties"].pop("RoleName")]
        report(f"left out: {kind} (deployed as {instead})")
    return template


def events(stacks, name):
    said = stacks.describe_stack_events(StackName=name)["StackEvents"]
    failed = [event for event in said if "FAILED" in event["ResourceStatus"]]
    nested = [stack for stack in stacks.describe_stacks()["Stacks"] if stack["StackName"].startswith(f"{name}-")]
    reasons = [f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason')}" for event in failed]
    return reasons + [f"{stack['StackName']}: {stack.get('StackStatusReason')}" for stack in nested]


def deploy(stacks, name, template, parameters):
    body = json.dumps(template)
    stacks.create_stack(
        StackName=name,
        TemplateURL=template if isinstance(template, str) else put(name, body),
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
    )
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        stack = stacks.describe_stacks(StackName=name)["Stacks"][0]
        if not stack["StackStatus"].endswith("IN_PROGRESS"):
            break
        time.sleep(0.5)
    if stack["StackStatus"] != "CREATE_COMPLETE":
        raise SystemExit(f"FAILED: stack {name}: {stack['StackStatus']}: {events(stacks, name)}")
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def put(name, body):
    client("s3").put_object(Bucket=BUCKET, Key=f"{name}.json", Body=body.encode())
    return f"{ENDPOINT}/{BUCKET}/{name}.json"


def call(api, key, method, path, body=None, tries=5):
    """Sends a request to the API, and returns the status and the body. Retries a 503, as its message advises."""
    status, reply = send(api, key, method, path, body)
    while status == 503 and tries > 1:
        time.sleep(reply.get("retryAfterSeconds", 1))
        tries -= 1
        status, reply = send(api, key, method, path, body)
    return status, reply


def send(api, key, method, path, body):
    request = urllib.request.Request(f"{api}{path}", method=method)
    request.add_header("Content-Type", "application/json")
    if key:
        request.add_header("X-API-KEY", key)
    data = json.dumps(body).encode() if body is not None else None
    try:
        with urllib.request.urlopen(request, data, timeout=60) as response:
            status, text = response.status, response.read()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read()
    try:
        return status, json.loads(text)
    except ValueError:
        return status, {"text": text.decode(errors="replace")[:300]}


def tenant(outputs, stack):
    """Creates an API key on the usage plan, as docs/guides/deploy.md describes."""
    gateway = client("apigateway")
    made = gateway.create_api_key(name=f"tenant-{stack}", enabled=True)
    plans = [plan for plan in gateway.get_usage_plans()["items"] if plan["name"].startswith(stack)]
    plan = outputs.get("UsagePlanId") or plans[0]["id"]
    gateway.create_usage_plan_key(usagePlanId=plan, keyType="API_KEY", keyId=made["id"])
    shown = gateway.get_api_key(apiKey=made["id"], includeValue=True)
    return shown["value"]


def use(stack, outputs):
    """Calls a deployment through API Gateway, with the real binaries of the functions and the cosigner."""
    apis = client("apigateway").get_rest_apis(limit=500)["items"]
    api_id = next(api["id"] for api in apis if api["name"] == stack)
    api = f"{ENDPOINT}/_aws/execute-api/{api_id}/v1"
    key = tenant(outputs, stack)
    status, body = call(api, None, "POST", "/api/wallets", {"userId": "user_1"})
    if status == 403:
        print("ok  a call without a key is refused", flush=True)
    else:
        report(f"API Gateway: a call without X-API-KEY reaches the function (HTTP {status}, AWS: 403)")
    status, wallet = call(api, key, "POST", "/api/wallets", {"userId": "user_1"})
    check(status == 201, "create-wallet returns 201", f"{status} {wallet}")
    status, again = call(api, key, "POST", "/api/wallets", {"userId": "user_1"})
    check((status, again) == (200, wallet), "the same user has the same wallet", f"{status} {again}")
    status, signed = call(api, key, "POST", f"/api/wallets/{wallet['walletId']}/sign", {"message": "hi"})
    check(status == 200 and len(signed["signature"]) == 132, "sign-message returns a signature", f"{status}")
    for exchange in ("aster", "hyperliquid"):
        path = f"/api/trading/{exchange}/apikey"
        status, made = call(api, key, "POST", path, {"walletIdOrAddress": "user_1"})
        check(status == 200, f"register-{exchange} returns 200", f"{status} {made.get('error')}")
        status, made = call(api, key, "POST", path, {"walletIdOrAddress": "user_1"})
        check(status == 409, f"a second registration with {exchange} returns 409", f"{status}")
    status, body = call(api, key, "GET", "/api/wallets/user_1")
    check((status, body) == (200, wallet), "get-wallet returns the wallet", f"{status} {body}")
    status, body = call(api, key, "POST", "/api/wallets", {})
    check(status == 400, "a body without userId returns 400", f"{status}")
    names = list(body)
    if names[:2] != ["success", "error"]:
        report(f"error fields of create-wallet arrive in the order {names}")
    status, body = call(api, key, "GET", "/api/nothing")
    if status != 404:
        report(f"API Gateway: an unknown route returns HTTP {status} {body}; the template's gateway response has 404")


def verify(stack, parameters, outputs):
    """Checks the effects of the parameters."""
    kms, stacks = client("kms"), client("cloudformation")
    resources = stacks.describe_stack_resources(StackName=stack)["StackResources"]
    by_name = {resource["LogicalResourceId"]: resource for resource in resources}
    multi = parameters.get("MultiRegionKeys", "true") == "true"
    described = kms.describe_key(KeyId=by_name["WalletsKey"]["PhysicalResourceId"])["KeyMetadata"]
    check(described["MultiRegion"] == multi, f"WalletsKey has MultiRegion {multi}")
    rotation = kms.get_key_rotation_status(KeyId=described["KeyId"])
    check(rotation["KeyRotationEnabled"], "WalletsKey is rotated yearly")
    managed = parameters.get("ManageApiGatewayLogRole", "true") == "true"
    check(("ApiGatewayAccount" in by_name) == managed, f"ApiGatewayAccount exists: {managed}")
    own = not parameters.get("CosignerArn")
    check(("Cosigner" in by_name) == own, f"the nested cosigner exists: {own}")
    check("Monitoring" in by_name, "the nested monitoring exists")
    alarms = client("cloudwatch").describe_alarms(MaxRecords=100)["MetricAlarms"]
    check(len(alarms) > 20, f"{len(alarms)} alarms exist")


def main():
    s3 = client("s3")
    s3.create_bucket(Bucket=BUCKET)
    manifests = glob.glob("functions/**/Cargo.toml", root_dir=ROOT, recursive=True)
    names = sorted(package(os.path.dirname(manifest)) for manifest in manifests)
    for name in names:
        s3.put_object(Bucket=BUCKET, Key=f"{name}.zip", Body=archive(name))
    real = [name for name in names if os.path.exists(os.path.join(FUNCTIONS, name))]
    print(f"real binaries: {', '.join(real)}", flush=True)
    expanded = {name: expand(name, s3) for name in TEMPLATES}
    for name in ("cosigner", "monitoring"):
        put(name, json.dumps(expanded[name]))
    dangling(expanded["main"])
    stacks = client("cloudformation")
    for variant, parameters in VARIANTS.items():
        print(f"-- {variant} {parameters}", flush=True)
        stack = f"hyperdex-{variant}"
        parameters = {"Architecture": "x86_64", **parameters}
        if variant == "separate-cosigner":
            name = f"{stack}-party2"
            parameters["CosignerArn"] = f"arn:aws:lambda:{REGION}:000000000000:function:{name}"
        outputs = deploy(stacks, stack, copy.deepcopy(expanded["main"]), parameters)
        if variant == "separate-cosigner":
            roles = {key: value for key, value in outputs.items() if key.endswith("RoleArn")}
            check(len(roles) == 9, "nine role ARNs are printed for the cosigner's stack", str(outputs))
            own = {"FunctionName": name, "ExchangeEnvironment": "testnet", "Architecture": "x86_64"}
            deploy(stacks, name, copy.deepcopy(expanded["cosigner"]), {**own, **roles})
        verify(stack, parameters, outputs)
        use(stack, outputs)
    with open(REPORT, "w") as file:
        file.write("".join(f"{line}\n" for line in found))


def dangling(template):
    """Returns dependencies on resources whose condition may be false, which CloudFormation refuses only then."""
    resources = template["Resources"]
    for name, resource in resources.items():
        depends = resource.get("DependsOn", [])
        for on in [depends] if isinstance(depends, str) else depends:
            condition = resources.get(on, {}).get("Condition")
            if condition and condition != resource.get("Condition"):
                report(f"template: {name} depends on {on}, which exists only with {condition}")


main()
