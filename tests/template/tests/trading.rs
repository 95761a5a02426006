//! The roles of trading: they write orders and the ledger only, open the keys of one exchange, and
//! never a share.

use std::collections::BTreeMap;

use template::cloudformation::REGION;
use template::iam::{Call, allowed};
use template::stacks::{Function, MAIN, Sources, Stacks};
use template::{assert_found, assert_none};

/// The operations with one function for each exchange.
const OPERATIONS: [&str; 10] = [
    "place-order",
    "modify-order",
    "cancel-orders",
    "get-orders",
    "resolve-orders",
    "close-position",
    "set-leverage",
    "get-positions",
    "get-balances",
    "get-fills",
];

/// The operations that store signed bytes or a change before the exchange receives them.
const STORING: [&str; 4] = ["place-order", "modify-order", "close-position", "set-leverage"];

const EXCHANGES: [&str; 2] = ["hyperliquid", "aster"];

const POLICIES: [&str; 2] = ["get-trading-policy", "set-trading-policy"];

const INVOKE: &str = "lambda:InvokeFunction";

const WRITES: [&str; 3] = ["dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"];

/// A partition of each kind. No identifier contains `#`, and the last tenant and wallet have names
/// that end as other keys do.
const PARTITIONS: [&str; 17] = [
    "acme#W#29dd4dc0-1ff9-4df6-a19f-936f997cbc5a",
    "acme#O#29dd4dc0-1ff9-4df6-a19f-936f997cbc5a#aster",
    "acme#O#29dd4dc0-1ff9-4df6-a19f-936f997cbc5a#hyperliquid",
    "acme#P",
    "acme#U#O",
    "acme#U#P",
    "acme#A#0x00000000000000000000000000000000000000aa",
    "acme#H",
    "acme#E#1",
    "acme#I#0",
    "acme#Q",
    "#budget#aster#shared",
    "#budget#hyperliquid#shared",
    "#key#P",
    "#tenant#O",
    "#tenant#P",
    "P#W#O",
];

/// Returns the writes that a function of trading may make to a partition. `own` is its exchange.
fn own_writes(package: &str, own: Option<&str>, partition: &str) -> &'static [&'static str] {
    let is_own = own.is_some_and(|own| partition.split('#').any(|part| part == own));
    if partition.contains("#O#") {
        return match package {
            _ if !is_own => &[],
            it if STORING.iter().any(|operation| it.starts_with(operation)) => {
                &["dynamodb:PutItem", "dynamodb:UpdateItem"]
            }
            it if it.starts_with("cancel-orders") || it.starts_with("resolve-orders") => {
                &["dynamodb:UpdateItem"]
            }
            _ => &[],
        };
    }
    match (package, partition) {
        ("set-trading-policy", "acme#P") => &["dynamodb:PutItem"],
        (_, it) if it.starts_with("#budget#") && is_own => &["dynamodb:UpdateItem"],
        _ => &[],
    }
}

fn may(function: &Function, action: &str, resource: &str, context: &[(&str, &str)]) -> bool {
    let context = context.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    allowed(
        &function.statements,
        &Call {
            function: function.package.clone(),
            action: action.to_owned(),
            resource: resource.to_owned(),
            context: BTreeMap::from_iter(context),
        },
    )
}

/// Returns the functions of trading, each with its exchange.
fn functions(stacks: &Stacks) -> Vec<(Function, Option<&'static str>)> {
    let of_exchanges = OPERATIONS.iter().flat_map(|operation| {
        EXCHANGES.map(|exchange| (format!("{operation}-{exchange}"), Some(exchange)))
    });
    let all = of_exchanges.chain(POLICIES.map(|package| (package.to_owned(), None)));
    all.map(|(package, exchange)| (stacks.function(&package), exchange)).collect()
}

fn wrong(stacks: &Stacks) -> Vec<String> {
    let mut wrong = Vec::new();
    for (function, own) in functions(stacks) {
        let package = &function.package;
        for partition in PARTITIONS {
            for action in WRITES {
                let context = [("dynamodb:LeadingKeys", partition)];
                let is_own = own_writes(package, own, partition).contains(&action);
                if may(&function, action, "WalletsTable.Arn", &context) != is_own {
                    let allowed = if is_own { "not allowed" } else { "allowed" };
                    wrong.push(format!("{package}: {action} of {partition} is {allowed}"));
                }
            }
        }
        let purpose = "kms:EncryptionContext:purpose";
        for exchange in EXCHANGES {
            let orders = format!("acme#O#29dd4dc0-1ff9-4df6-a19f-936f997cbc5a#{exchange}");
            let context = [("dynamodb:LeadingKeys", orders.as_str())];
            let reads = own == Some(exchange);
            if may(&function, "dynamodb:BatchGetItem", "WalletsTable.Arn", &context) != reads {
                let reads = if reads { "does not read" } else { "reads" };
                wrong.push(format!("{package}: it {reads} orders of {exchange}"));
            }
            let context = [(purpose, "agent-key"), ("kms:EncryptionContext:exchange", exchange)];
            let is_keyless = package.starts_with("get-") && exchange == "hyperliquid";
            let opens = own == Some(exchange) && !is_keyless;
            if may(&function, "kms:Decrypt", "WalletsKey.Arn", &context) != opens {
                let opens = if opens { "does not open" } else { "opens" };
                wrong.push(format!("{package}: it {opens} keys of {exchange}"));
            }
        }
        for other in ["share", "answer", "webhook-secret"] {
            let context = [(purpose, other), ("kms:EncryptionContext:exchange", "aster")];
            if may(&function, "kms:Decrypt", "WalletsKey.Arn", &context) {
                wrong.push(format!("{package}: it opens the purpose {other}"));
            }
        }
        let statements = function.statements.iter().filter(|one| one.allows);
        for action in statements.flat_map(|one| &one.actions) {
            // The jobs report the outcomes of payments, by their own alias of the cosigner.
            let reports = package.starts_with("resolve-orders-") && action == INVOKE;
            let is_call = action.starts_with("lambda:") && !reports;
            let is_call = is_call || action == "kms:GenerateDataKey";
            if is_call || action == "dynamodb:Scan" {
                wrong.push(format!("{package}: it may use {action}"));
            }
        }
    }
    wrong
}

#[test]
fn trading_roles_write_orders_and_open_one_exchanges_keys() {
    assert_none(&wrong(&Stacks::deployed()));
}

#[test]
fn trading_role_with_excess_access_is_found() {
    for (place, old, new, line) in [
        (
            "  PlaceOrderAsterPolicy:",
            "Action: dynamodb:PutItem\n            Resource: !GetAtt WalletsTable.Arn\n            Condition:\n              ForAllValues:StringLike:\n                dynamodb:LeadingKeys: ['*#O#*#aster']",
            "Action: dynamodb:PutItem\n            Resource: !GetAtt WalletsTable.Arn",
            "place-order-aster: dynamodb:PutItem of acme#W#29dd4dc0-1ff9-4df6-a19f-936f997cbc5a is allowed",
        ),
        (
            "  PlaceOrderAsterPolicy:",
            "exchange: aster",
            "exchange: [aster, hyperliquid]",
            "place-order-aster: it opens keys of hyperliquid",
        ),
        (
            "  ResolveOrdersAsterPolicy:",
            "purpose: agent-key",
            "purpose: [agent-key, share]",
            "resolve-orders-aster: it opens the purpose share",
        ),
        (
            "  CancelOrdersHyperliquidPolicy:",
            "Action: dynamodb:UpdateItem\n            Resource: !GetAtt WalletsTable.Arn\n            Condition:\n              ForAllValues:StringLike:\n                dynamodb:LeadingKeys: ['*#O#*#hyperliquid']",
            "Action: dynamodb:UpdateItem\n            Resource: !GetAtt WalletsTable.Arn\n            Condition:\n              ForAllValues:StringLike:\n                dynamodb:LeadingKeys: ['*#O#*#hyperliquid', '*#P']",
            "cancel-orders-hyperliquid: dynamodb:UpdateItem of acme#P is allowed",
        ),
        (
            "  ModifyOrderAsterPolicy:",
            "['*#O#*#aster']",
            "['*#O#*']",
            "modify-order-aster: dynamodb:PutItem of acme#O#29dd4dc0-1ff9-4df6-a19f-936f997cbc5a#hyperliquid is allowed",
        ),
        (
            "  GetOrdersHyperliquidPolicy:",
            "'*#O#*#hyperliquid'",
            "'*#O#*'",
            "get-orders-hyperliquid: it reads orders of aster",
        ),
        (
            "  SetTradingPolicyPolicy:",
            "Effect: Deny",
            "Effect: Allow",
            "set-trading-policy: dynamodb:PutItem of #tenant#P is allowed",
        ),
        (
            "  SetTradingPolicyPolicy:",
            "['#key#*', '#tenant*', '*#U#*']",
            "['#key#*', '#tenant*']",
            "set-trading-policy: dynamodb:PutItem of acme#U#P is allowed",
        ),
    ] {
        let copy = Sources::read().with(MAIN, place, old, new).deploy(&[]);
        assert_found(&wrong(&copy), line);
    }
}

/// The index of unknown orders and payments has shards of its own for each exchange and for the
/// chains, and the renewal job's are numbers.
#[test]
fn resolve_jobs_query_their_exchanges_shards_only() {
    let stacks = Stacks::deployed();
    let jobs: [(&str, &[&str]); 3] =
        [("hyperliquid", &["oh", "ph"]), ("aster", &["oa", "pa", "pe"]), ("lighter", &["ol"])];
    for (exchange, own) in jobs {
        let function = stacks.function(&format!("resolve-orders-{exchange}"));
        for shard in [
            "0", "15", "oh0", "oh15", "oa0", "oa15", "ol0", "ol15", "ph0", "ph15", "pa0", "pa15",
            "pe0", "pe15",
        ] {
            let context = [("dynamodb:LeadingKeys", shard)];
            let index = "WalletsTable.Arn/index/due";
            let is_allowed = may(&function, "dynamodb:Query", index, &context);
            let is_own = own.iter().any(|own| shard.starts_with(own));
            assert_eq!(is_allowed, is_own, "{exchange} {shard}");
        }
    }
}

/// Returns faults of the functions of Lighter: they reach its orders, its stored keys and its budget.
fn wrong_lighter(stacks: &Stacks) -> Vec<String> {
    let mut wrong = Vec::new();
    let orders = "acme#O#29dd4dc0-1ff9-4df6-a19f-936f997cbc5a#lighter";
    let partitions = PARTITIONS.iter().copied().chain([orders, "acme#L#281190"]);
    let partitions: Vec<&str> = partitions.chain(["#budget#lighter#shared"]).collect();
    for function in stacks.functions() {
        let package = &function.package;
        let Some(operation) = package.strip_suffix("-lighter") else { continue };
        let stores = matches!(operation, "place-order" | "modify-order" | "set-leverage");
        let settles = stores || matches!(operation, "cancel-orders" | "resolve-orders");
        for partition in &partitions {
            for action in WRITES {
                let is_own = match (action, *partition) {
                    ("dynamodb:PutItem", it) if it == orders => stores,
                    ("dynamodb:UpdateItem", it) if it == orders => settles,
                    ("dynamodb:PutItem", "acme#L#281190") => operation == "set-credentials",
                    ("dynamodb:DeleteItem", "acme#L#281190") => operation == "delete-credentials",
                    ("dynamodb:UpdateItem", "#budget#lighter#shared") => {
                        !matches!(operation, "get-credentials" | "delete-credentials")
                    }
                    _ => false,
                };
                let context = [("dynamodb:LeadingKeys", *partition)];
                if may(&function, action, "WalletsTable.Arn", &context) != is_own {
                    let allowed = if is_own { "not allowed" } else { "allowed" };
                    wrong.push(format!("{package}: {action} of {partition} is {allowed}"));
                }
            }
        }
        let signs = stores || matches!(operation, "cancel-orders" | "get-orders");
        for exchange in ["aster", "hyperliquid", "lighter"] {
            let purpose = ("kms:EncryptionContext:purpose", "agent-key");
            let context = [purpose, ("kms:EncryptionContext:exchange", exchange)];
            let opens = may(&function, "kms:Decrypt", "WalletsKey.Arn", &context);
            if opens != (signs && exchange == "lighter") {
                let opens = if opens { "opens" } else { "does not open" };
                wrong.push(format!("{package}: it {opens} keys of {exchange}"));
            }
        }
    }
    wrong
}

#[test]
fn lighter_roles_reach_lighter_only() {
    assert_none(&wrong_lighter(&Stacks::deployed()));
    for (place, old, new, line) in [
        (
            "  GetBalancesLighterPolicy:",
            "['#budget#lighter#*']",
            "['#budget#*']",
            "get-balances-lighter: dynamodb:UpdateItem of #budget#aster#shared is allowed",
        ),
        (
            "  PlaceOrderLighterPolicy:",
            "exchange: lighter",
            "exchange: [lighter, aster]",
            "place-order-lighter: it opens keys of aster",
        ),
        (
            "  DeleteCredentialsLighterPolicy:",
            "['*#L#*']",
            "['*#L#*', '*#W#*']",
            "delete-credentials-lighter: dynamodb:DeleteItem of \
             acme#W#29dd4dc0-1ff9-4df6-a19f-936f997cbc5a is allowed",
        ),
    ] {
        let copy = Sources::read().with(MAIN, place, old, new).deploy(&[]);
        assert_found(&wrong_lighter(&copy), line);
    }
}

/// The positions at all exchanges: Aster's key signs a question, and Hyperliquid needs none.
#[test]
fn positions_at_all_exchanges_open_asters_keys_only_and_write_no_order() {
    let function = Stacks::deployed().function("get-positions-all");
    let purpose = "kms:EncryptionContext:purpose";
    for (exchange, opens) in [("aster", true), ("hyperliquid", false)] {
        let context = [(purpose, "agent-key"), ("kms:EncryptionContext:exchange", exchange)];
        assert_eq!(may(&function, "kms:Decrypt", "WalletsKey.Arn", &context), opens, "{exchange}");
        let orders = format!("acme#O#29dd4dc0-1ff9-4df6-a19f-936f997cbc5a#{exchange}");
        let context = [("dynamodb:LeadingKeys", orders.as_str())];
        assert!(may(&function, "dynamodb:BatchGetItem", "WalletsTable.Arn", &context));
        for action in WRITES {
            assert!(!may(&function, action, "WalletsTable.Arn", &context), "{action} {exchange}");
        }
    }
}

/// Returns faults of the functions of policies, which learn whether a wallet exists and nothing else
/// of it: its partition has sealed keys.
fn wrong_policies(stacks: &Stacks) -> Vec<String> {
    const WALLET: &str = "acme#W#29dd4dc0-1ff9-4df6-a19f-936f997cbc5a";
    let mut wrong = Vec::new();
    for package in POLICIES {
        let function = stacks.function(package);
        let query = |select: Option<&str>, attributes: Option<&str>, key: &str| {
            let given = [("dynamodb:Select", select), ("dynamodb:Attributes", attributes)];
            let given = given.into_iter().filter_map(|(name, value)| Some((name, value?)));
            let context: Vec<_> = given.chain([("dynamodb:LeadingKeys", key)]).collect();
            may(&function, "dynamodb:Query", "WalletsTable.Arn", &context)
        };
        if !query(Some("COUNT"), Some("pk,sk"), WALLET) {
            wrong.push(format!("{package}: it does not count a wallet"));
        }
        for (what, is_allowed) in [
            ("returns a wallet", query(Some("ALL_ATTRIBUTES"), Some("pk,sk"), WALLET)),
            ("returns keys", query(Some("SPECIFIC_ATTRIBUTES"), Some("pk,sk"), WALLET)),
            ("returns the default", query(None, Some("pk,sk"), WALLET)),
            ("filters by a key", query(Some("COUNT"), Some("pk,sealed,sk"), WALLET)),
            ("counts tenants", query(Some("COUNT"), Some("pk,sk"), "#tenants")),
            ("counts orders", query(Some("COUNT"), Some("pk,sk"), "acme#O#1#aster")),
        ] {
            if is_allowed {
                wrong.push(format!("{package}: it {what}"));
            }
        }
        for action in ["dynamodb:BatchGetItem", "dynamodb:GetItem"] {
            if may(&function, action, "WalletsTable.Arn", &[("dynamodb:LeadingKeys", WALLET)]) {
                wrong.push(format!("{package}: {action} of a wallet is allowed"));
            }
        }
    }
    wrong
}

#[test]
fn policy_roles_count_a_wallet_and_read_nothing_of_it() {
    assert_none(&wrong_policies(&Stacks::deployed()));
    for (old, new, line) in [
        ("['*#P']", "['*#P', '*#W#*']", "dynamodb:BatchGetItem of a wallet is allowed"),
        ("dynamodb:Select: COUNT", "dynamodb:Select: ALL_ATTRIBUTES", "it returns a wallet"),
        ("[pk, sk]", "[pk, sk, sealed]", "it filters by a key"),
        ("['*#W#*']", "['*']", "it counts tenants"),
    ] {
        let copy = Sources::read().with(MAIN, "  SetTradingPolicyPolicy:", old, new).deploy(&[]);
        assert_found(&wrong_policies(&copy), &format!("set-trading-policy: {line}"));
    }
}

/// The table's encryption does not let a role decrypt envelopes: it applies to calls of DynamoDB.
#[test]
fn hyperliquid_reads_open_no_key() {
    let stacks = Stacks::deployed();
    for operation in ["get-orders", "get-positions", "get-balances", "get-fills"] {
        let function = stacks.function(&format!("{operation}-hyperliquid"));
        let decrypts = function.statements.iter().filter(|one| one.actions == ["kms:Decrypt"]);
        let through: Vec<_> = decrypts.map(|one| one.asks("kms:ViaService")).collect();
        assert_eq!(through, [Some(format!("dynamodb.{REGION}.amazonaws.com").as_str())]);
        let index = "WalletsTable.Arn/index/due";
        assert!(!may(&function, "dynamodb:Query", index, &[("dynamodb:LeadingKeys", "oh0")]));
    }
}
