//! Tests that every stored form of the head parses.

use super::*;

fn item(text: &str) -> Item {
    let item: serde_dynamo::Item = serde_json::from_str(text).unwrap();
    item.into()
}

#[test]
fn head_of_schema_2_is_refused_by_schema_1_code() {
    let text = include_str!("../../../tests/samples/head.v2.json");
    let head = head_of(item(text)).unwrap();
    assert!(head.barred && head.seq == 7 && head.spent == [(0, 2)]);
    assert_eq!((head.newest, head.last_trial, head.runs.len()), (4, 3, 1));
    assert!(from_item::<Head>("head", item(text)).is_err());
    let older = text.replace("\"schema\": { \"N\": \"2\" }", "\"schema\": { \"N\": \"1\" }");
    assert_eq!(head_of(item(&older)).unwrap().schema, 1);
}
