//! Tests the evaluation of templates and permissions.

use serde_json::json;
use template::cloudformation::Template;
use template::iam::{Call, Statement, allowed};
use template::stacks::{MAIN, Sources};
use template::{read, yaml};

#[test]
fn yaml_short_tags_are_functions() {
    let read = yaml::parse(
        "a: !If [On, !Sub 'x-${Y}', !Ref AWS::NoValue]\nb: { c: !GetAtt T.Arn }\nd: '0'\ne: 0\n\
         f:\n  - !Condition On\n  - true\n",
    );
    let long = json!({
        "a": { "Fn::If": ["On", { "Fn::Sub": "x-${Y}" }, { "Ref": "AWS::NoValue" }] },
        "b": { "c": { "Fn::GetAtt": "T.Arn" } },
        "d": "0",
        "e": 0,
        "f": [{ "Condition": "On" }, true],
    });
    assert_eq!(read, long);
}

#[test]
#[should_panic(expected = "YAML")]
fn duplicate_yaml_key_is_refused() {
    yaml::parse("a: 1\na: 2\n");
}

#[test]
fn functions_and_conditions_are_evaluated() {
    let source = "
Parameters: { Size: { Type: Number, Default: 0 }, Net: { Type: String, Default: test } }
Mappings: { Net: { test: { Url: t }, main: { Url: m } } }
Conditions:
  Big: !Not [!Equals [!Ref Size, 0]]
  Both: !And [!Condition Big, !Equals [!Ref Net, main]]
Resources:
  Table:
    Type: T
    Properties: { Url: !FindInMap [Net, !Ref Net, Url], Key: !GetAtt Key.Arn, No: !Ref AWS::NoValue }
  Key: { Type: K, Condition: Both, Properties: { Name: !Sub '${AWS::StackName}-${Table.Arn}!' } }
";
    let small = Template::new(source, &[]);
    assert_eq!(small.resource("T", "Table").properties, json!({ "Url": "t", "Key": "Key.Arn" }));
    assert!(small.resources("K").is_empty());
    let big = Template::new(source, &[("Size", "1"), ("Net", "main")]);
    assert_eq!(big.resource("T", "Table").properties["Url"], "m");
    assert_eq!(big.resource("K", "Key").properties["Name"], "hyperdex-Table.Arn!");
}

#[test]
#[should_panic(expected = "a map key must be text or a Ref")]
fn map_key_of_another_function_is_refused() {
    let source = "
Parameters: {}
Mappings: { Net: { test: { Url: t } } }
Resources: { Table: { Type: T, Properties: { Url: !FindInMap [Net, !Sub test, Url] } } }
";
    Template::new(source, &[]).resource("T", "Table");
}

/// Aster's network equals Hyperliquid's, unless a parameter sets it.
#[test]
fn aster_network_defaults_to_hyperliquid_network() {
    for (exchanges, aster, chain) in [
        ("testnet", "", "Testnet"),
        ("mainnet", "", "Mainnet"),
        ("testnet", "mainnet", "Mainnet"),
        ("mainnet", "testnet", "Testnet"),
    ] {
        let given = [("ExchangeEnvironment", exchanges), ("AsterEnvironment", aster)];
        let stacks = Sources::read().deploy(&given);
        for function in ["register-aster", "cosigner"] {
            let variables = stacks.function(function).variables();
            assert_eq!(variables["ASTER_CHAIN"], chain, "{function} {given:?}");
        }
    }
}

#[test]
fn contradicting_parameters_are_refused() {
    let main = read(MAIN);
    let refusals = |given: &[(&str, &str)]| Template::new(&main, given).refusals();
    let elsewhere = ("CosignerArn", "arn:aws:lambda:eu-west-1:123456789012:function:cosigner");
    let topic = ("AlarmTopicArn", "arn:aws:sns:eu-west-1:123456789012:alarms");
    for given in [&[][..], &[elsewhere], &[topic], &[("AlarmEmail", "a@example.com")]] {
        assert!(refusals(given).is_empty(), "{given:?}: {:?}", refusals(given));
    }
    for (given, named) in [
        ([topic, ("AlarmEmail", "a@example.com")], "AlarmEmail"),
        ([elsewhere, ("CosignerPolicy", "{}")], "CosignerPolicy"),
        ([elsewhere, ("CosignerReservedConcurrency", "5")], "CosignerReservedConcurrency"),
    ] {
        let found = refusals(&given);
        assert!(found.len() == 1 && found[0].starts_with(named), "{given:?}: {found:?}");
    }
}

fn call(action: &str, resource: &str, context: &[(&str, &str)]) -> Call {
    let context = context.iter().map(|(key, value)| ((*key).into(), (*value).into()));
    Call {
        function: String::new(),
        action: action.to_owned(),
        resource: resource.to_owned(),
        context: context.collect(),
    }
}

#[test]
fn iam_statement_allows_its_actions() {
    let statement = Statement::read(&json!({
        "Effect": "Allow",
        "Action": ["kms:Decrypt", "kms:ReEncrypt*"],
        "Resource": "Key.Arn",
        "Condition": {
            "StringEquals": { "purpose": ["a", "b"] },
            "Null": { "tenant": "false" },
        },
    }));
    let context = [("purpose", "a"), ("tenant", "t")];
    assert!(statement.covers(&call("kms:Decrypt", "Key.Arn", &context)));
    assert!(statement.covers(&call("kms:ReEncryptTo", "Key.Arn", &context)));
    for refused in [
        call("kms:Encrypt", "Key.Arn", &context),
        call("kms:Decrypt", "Other.Arn", &context),
        call("kms:Decrypt", "Key.Arn", &context[..1]),
        call("kms:Decrypt", "Key.Arn", &context[1..]),
        call("kms:Decrypt", "Key.Arn", &[("purpose", "c"), ("tenant", "t")]),
    ] {
        assert!(!statement.covers(&refused), "{refused}");
    }
    assert_eq!(statement.narrowed().len(), 4);
    let deny = Statement { allows: false, ..statement.clone() };
    let asked = call("kms:Decrypt", "Key.Arn", &context);
    assert!(allowed(std::slice::from_ref(&statement), &asked));
    assert!(!allowed(&[statement, deny], &asked));
}

#[test]
fn iam_condition_pattern_matches_like_iam() {
    for (pattern, text, like) in [
        ("*#H", "local#H", true),
        ("*#H", "local#H#1", false),
        ("*#E#*", "local#E#15", true),
        ("*#E#*", "local#W#29dd", false),
        ("seals", "seals", true),
        ("*", "", true),
    ] {
        let statement = Statement::read(&json!({
            "Effect": "Allow",
            "Action": "dynamodb:GetItem",
            "Resource": "Table.Arn",
            "Condition": { "ForAllValues:StringLike": { "key": pattern } },
        }));
        let call = call("dynamodb:GetItem", "Table.Arn", &[("key", text)]);
        assert_eq!(statement.covers(&call), like, "{pattern} {text}");
    }
}
