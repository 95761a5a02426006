//! Partitions of DynamoDB that a call reads or writes.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;

/// Partitions are told apart by this many numbers. Two with the same number count as one, which must
/// be rare while many partitions are written.
pub(super) const NUMBERS: usize = 1 << 14;

/// The partitions of a call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Partitions {
    /// These, by their numbers.
    Some(Vec<usize>),
    /// Any: the call names none, as a scan or a query of an index.
    All,
}

impl Partitions {
    /// Returns the partitions of a call. Every local table has the partition key `pk`, a string.
    pub(super) fn of(operation: &str, body: &str) -> Self {
        let Ok(body) = serde_json::from_str::<Value>(body) else { return Self::All };
        let values = |name: &str| -> Vec<&Value> {
            match &body[name] {
                Value::Array(values) => values.iter().collect(),
                Value::Object(values) => values.values().collect(),
                _ => Vec::new(),
            }
        };
        let keys = match operation {
            "DeleteItem" | "GetItem" | "PutItem" | "UpdateItem" => vec![of_item(&body)],
            "Query" => vec![of_query(&body)],
            "TransactWriteItems" => {
                let actions = values("TransactItems").into_iter().filter_map(Value::as_object);
                actions.map(|action| action.values().next().and_then(of_item)).collect()
            }
            "BatchGetItem" => {
                let tables = values("RequestItems").into_iter();
                let keys = tables.map(|table| table["Keys"].as_array());
                let mut known = Vec::new();
                for keys in keys {
                    match keys {
                        Some(keys) => known.extend(keys.iter().map(|key| key["pk"]["S"].as_str())),
                        None => known.push(None),
                    }
                }
                known
            }
            _ => return Self::All,
        };
        let numbers: Option<Vec<usize>> = keys.into_iter().map(|key| key.map(number)).collect();
        numbers.filter(|numbers| !numbers.is_empty()).map_or(Self::All, Self::Some)
    }
}

/// Returns the partition of a request or an action that names one item.
fn of_item(action: &Value) -> Option<&str> {
    let key = if action["Key"].is_null() { &action["Item"] } else { &action["Key"] };
    key["pk"]["S"].as_str()
}

/// Returns the partition of a query of a table, whose condition begins with `pk = :value`.
fn of_query(query: &Value) -> Option<&str> {
    if !query["IndexName"].is_null() {
        return None;
    }
    let (name, rest) = query["KeyConditionExpression"].as_str()?.split_once('=')?;
    let name = match name.trim() {
        name if name.starts_with('#') => query["ExpressionAttributeNames"][name].as_str()?,
        name => name,
    };
    let value = rest.split_whitespace().next()?;
    (name == "pk").then(|| query["ExpressionAttributeValues"][value]["S"].as_str()).flatten()
}

fn number(key: &str) -> usize {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    usize::try_from(hasher.finish() % NUMBERS as u64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(operation: &str, body: &Value) -> Partitions {
        Partitions::of(operation, &body.to_string())
    }

    fn named(keys: &[&str]) -> Partitions {
        Partitions::Some(keys.iter().map(|key| number(key)).collect())
    }

    #[test]
    fn call_of_named_items_has_their_partitions() {
        let key = |key: &str| json!({ "pk": { "S": key }, "sk": { "S": "sk" } });
        let item = json!({ "TableName": "wallets", "Key": key("a") });
        for operation in ["DeleteItem", "GetItem", "UpdateItem"] {
            assert_eq!(of(operation, &item), named(&["a"]), "{operation}");
        }
        assert_eq!(of("PutItem", &json!({ "Item": key("b") })), named(&["b"]));
        let transaction = json!({ "TransactItems": [
            { "Put": { "Item": key("a") } },
            { "Update": { "Key": key("b") } },
            { "ConditionCheck": { "Key": key("c") } },
            { "Delete": { "Key": key("d") } },
        ] });
        assert_eq!(of("TransactWriteItems", &transaction), named(&["a", "b", "c", "d"]));
        let batch = json!({ "RequestItems": {
            "one": { "Keys": [key("a"), key("b")] },
            "two": { "Keys": [key("c")] },
        } });
        assert_eq!(of("BatchGetItem", &batch), named(&["a", "b", "c"]));
    }

    #[test]
    fn query_of_a_table_has_one_partition() {
        let query = |condition: &str| {
            json!({
                "KeyConditionExpression": condition,
                "ExpressionAttributeNames": { "#p": "pk", "#s": "sk" },
                "ExpressionAttributeValues": { ":pk": { "S": "a" }, ":low": { "S": "b" } },
            })
        };
        for condition in ["pk = :pk", "#p = :pk AND sk > :low", "pk=:pk AND begins_with(sk, :low)"]
        {
            assert_eq!(of("Query", &query(condition)), named(&["a"]), "{condition}");
        }
        for condition in ["", "sk = :low AND pk = :pk", "#s = :low", "(pk = :pk)", "pk = :other"] {
            assert_eq!(of("Query", &query(condition)), Partitions::All, "{condition}");
        }
        let mut index = query("pk = :pk");
        index["IndexName"] = json!("by-day");
        assert_eq!(of("Query", &index), Partitions::All);
    }

    #[test]
    fn any_other_call_has_all_partitions() {
        let unnamed = json!({ "Key": { "pk": { "N": "1" } }, "TransactItems": [], "RequestItems": { "t": {} } });
        for operation in
            ["BatchGetItem", "GetItem", "GetRecords", "PutItem", "Scan", "TransactWriteItems"]
        {
            assert_eq!(of(operation, &unnamed), Partitions::All, "{operation}");
        }
        assert_eq!(Partitions::of("GetItem", "no JSON"), Partitions::All);
        let partly = json!({ "TransactItems": [
            { "Put": { "Item": { "pk": { "S": "a" } } } }, { "Put": { "Item": {} } },
        ] });
        assert_eq!(of("TransactWriteItems", &partly), Partitions::All);
    }
}
