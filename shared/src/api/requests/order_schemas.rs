//! The schemas of requests for orders that no derive can make.

use std::borrow::Cow;

use utoipa::openapi::schema::{Object, OneOfBuilder};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::PlaceOrderRequest;
use super::order_fields::{NewOrder, PlaceOrders};
use crate::schema;

/// A request for one order: the fields of the order, and the wallet.
#[derive(Clone, Copy, Debug)]
pub struct PlaceOrder;

impl PartialSchema for PlaceOrder {
    fn schema() -> RefOr<Schema> {
        let mut schema = NewOrder::schema();
        if let RefOr::T(Schema::Object(object)) = &mut schema {
            object.description = Some("An order of one wallet.".to_owned());
            object.properties.insert("walletIdOrAddress".to_owned(), name_of_wallet());
        }
        schema
    }
}

impl ToSchema for PlaceOrder {
    fn name() -> Cow<'static, str> {
        "PlaceOrder".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        NewOrder::schemas(schemas);
    }
}

/// Returns the schema of the field that names the wallet.
fn name_of_wallet() -> RefOr<Schema> {
    let name = |object: Object| object.properties.get("walletIdOrAddress").cloned();
    let known = match PlaceOrders::schema() {
        RefOr::T(Schema::Object(object)) => name(object),
        _ => None,
    };
    known.unwrap_or_else(schema::WalletName::schema)
}

impl PartialSchema for PlaceOrderRequest {
    fn schema() -> RefOr<Schema> {
        OneOfBuilder::new()
            .item(Ref::from_schema_name("PlaceOrder"))
            .item(Ref::from_schema_name("PlaceOrders"))
            .description(Some("One order, or a batch of orders."))
            .into()
    }
}

impl ToSchema for PlaceOrderRequest {
    fn name() -> Cow<'static, str> {
        "PlaceOrderRequest".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push(("PlaceOrder".to_owned(), PlaceOrder::schema()));
        schemas.push(("PlaceOrders".to_owned(), PlaceOrders::schema()));
        PlaceOrder::schemas(schemas);
        PlaceOrders::schemas(schemas);
    }
}
