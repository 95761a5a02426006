#!/usr/bin/env python3
"""Prints a CloudFormation change set as a table, and refuses one that would lose keys, tables or the cosigner.

    aws cloudformation describe-change-set --change-set-name ARN --output json | infra/change-set.py

Fails if a KMS key, a table or a nested stack would be removed or could be replaced. The exception is the monitoring
stack, which contains no data. Requires only Python.
"""

import json
import sys

KEPT = {"AWS::KMS::Key", "AWS::DynamoDB::Table", "AWS::CloudFormation::Stack"}


def is_loss(change):
    """Returns whether a change would lose a resource that no backup restores."""
    if change["ResourceType"] not in KEPT or change["LogicalResourceId"] == "Monitoring":
        return False
    replaces = change["Action"] == "Modify" and change.get("Replacement") != "False"
    return replaces or change["Action"] not in ("Add", "Modify")


def main():
    changes = [change["ResourceChange"] for change in json.load(sys.stdin)["Changes"]]
    print("| action | resource | type | replacement |\n| --- | --- | --- | --- |")
    for it in sorted(changes, key=lambda it: (it["Action"], it["ResourceType"], it["LogicalResourceId"])):
        print(f"| {it['Action']} | {it['LogicalResourceId']} | {it['ResourceType']} | {it.get('Replacement', '')} |")
    lost = [change["LogicalResourceId"] for change in changes if is_loss(change)]
    if lost:
        sys.exit(f"This change set removes or replaces: {', '.join(lost)}. Do not execute it. See docs/guides/deploy.md, Upgrade.")


if __name__ == "__main__":
    main()
