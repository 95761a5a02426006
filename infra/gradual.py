#!/usr/bin/env python3
"""Prints template.yaml with gradual deployment of the API's functions.

    infra/gradual.py [RELEASE] > template-gradual.yaml
    sam build --template-file template-gradual.yaml

Each function of SHIFTED_FUNCTIONS gets a version for each release, the alias `live` and a CodeDeploy deployment group; the
parameter DeploymentPreference chooses how traffic moves to the new version. Everything else is as in template.yaml (docs/decisions/0048-gradual-deployment.md). RELEASE names the release; the name is derived from the time by
default. Requires only Python.
"""

import re
import sys
from datetime import datetime, timezone
from pathlib import Path

# The functions with the most traffic, and the ones that register keys. CloudFormation accepts 500 resources, and each
# gradual deployment takes three.
SHIFTED_FUNCTIONS = (
    "create-wallet",
    "sign-message",
    "register-aster",
    "register-hyperliquid",
    "place-order-aster",
    "place-order-hyperliquid",
)

PARAMETER = """\
  DeploymentPreference:
    Type: String
    Description: How traffic moves from the previous version of each API function to the new one.
    AllowedValues:
      - CodeDeployDefault.LambdaAllAtOnce
      - CodeDeployDefault.LambdaCanary10Percent5Minutes
      - CodeDeployDefault.LambdaCanary10Percent15Minutes
      - CodeDeployDefault.LambdaLinear10PercentEvery1Minute
      - CodeDeployDefault.LambdaLinear10PercentEvery3Minutes
    Default: CodeDeployDefault.LambdaCanary10Percent5Minutes
"""

# The dimensions name the API instead of a reference: the API waits for the aliases, which wait for this alarm.
ALARM = """\
  ShiftErrors:
    Type: AWS::CloudWatch::Alarm
    Properties:
      AlarmDescription: The API returns 5xx. CodeDeploy stops a deployment in progress and moves all traffic back.
      Namespace: AWS/ApiGateway
      MetricName: 5XXError
      Dimensions:
        - { Name: ApiName, Value: !Ref AWS::StackName }
        - { Name: Stage, Value: v1 }
      Statistic: Sum
      Period: 60
      EvaluationPeriods: 1
      # One timeout of an exchange does not stop a deployment. A faulty version reaches this within a minute.
      Threshold: 3
      ComparisonOperator: GreaterThanOrEqualToThreshold
      TreatMissingData: notBreaching

"""

SHIFTED = """\
      AutoPublishAlias: live
      VersionDeletionPolicy: Delete
      DeploymentPreference:
        Type: !Ref DeploymentPreference
        Alarms: [!Ref ShiftErrors]
"""


def once(text, old, new):
    """Replaces the only occurrence of `old` in the text."""
    if text.count(old) != 1:
        sys.exit(f"template.yaml: expected one {old.strip()!r}, found {text.count(old)}")
    return text.replace(old, new)


def shifted(block, release):
    """Returns a function's block with an alias for gradual deployment."""
    block = once(block, "    Properties:\n      FunctionName:", f"    Properties:\n{SHIFTED}      FunctionName:")
    # SAM derives the version's name from the environment's source text, so each release publishes a version. Without
    # this variable a changed parameter would publish none, and the alias would keep the old value.
    return once(block, "        Variables:\n", f"        Variables:\n          RELEASE: '{release}'\n")


def shifts(block):
    """Returns whether the block is one of a function that shifts."""
    package = re.search(r"(?m)^      CodeUri: functions/([a-z-]+)$", block)
    return package is not None and package[1] in SHIFTED_FUNCTIONS


def by_alias(template, name):
    """Returns the template in which the API invokes a function by its alias, and has permission for the alias."""
    integration = "/functions/${%s}/invocations"
    before, after = integration % f"{name}.Arn", integration % f"{name}.Alias"
    if before not in template:
        sys.exit(f"template.yaml: the API does not invoke {name}")
    template = template.replace(before, after)
    permission = "      FunctionName: !Ref %s\n      Principal: apigateway.amazonaws.com\n"
    return once(template, permission % name, permission % f"{name}.Alias")


def gradual(template, release):
    """Returns the template with gradual deployment."""
    template = once(template, "\nParameters:\n", f"\nParameters:\n{PARAMETER}")
    template = once(template, "\nResources:\n\n", f"\nResources:\n\n{ALARM}")
    # The blocks between two logical names.
    blocks = re.split(r"(?m)^(?=  [A-Za-z]+:$)", template)
    names = []
    for index, block in enumerate(blocks):
        if "\n    Type: AWS::Serverless::Function\n" in block and shifts(block):
            blocks[index] = shifted(block, release)
            names.append(block.split(":", 1)[0].strip())
    if len(names) != len(SHIFTED_FUNCTIONS):
        sys.exit("template.yaml: expected each of SHIFTED_FUNCTIONS once")
    template = "".join(blocks)
    for name in names:
        template = by_alias(template, name)
    return template


def main():
    release = sys.argv[1] if len(sys.argv) > 1 else datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    if len(sys.argv) > 2 or not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", release):
        sys.exit(__doc__)
    template = Path(__file__).parent.parent / "template.yaml"
    sys.stdout.write(gradual(template.read_text(), release))


if __name__ == "__main__":
    main()
