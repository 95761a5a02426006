//! EIP-712 digests with `alloy`, from fields in the order in which they are signed.

use std::borrow::Cow;

use alloy_dyn_abi::{Eip712Domain, PropertyDef, Resolver, TypeDef, TypedData};
use alloy_primitives::{Address, B256, U256};
use serde_json::Value;

/// A field of the signed struct.
pub(crate) struct Field<'a> {
    pub(crate) name: Cow<'a, str>,
    pub(crate) kind: &'static str,
    pub(crate) value: Value,
}

impl<'a> Field<'a> {
    pub(crate) fn new(
        name: impl Into<Cow<'a, str>>,
        kind: &'static str,
        value: impl Into<Value>,
    ) -> Self {
        Self { name: name.into(), kind, value: value.into() }
    }
}

/// Returns the domain of either exchange: version 1, without a contract.
pub(crate) fn domain(name: &'static str, chain_id: U256) -> Eip712Domain {
    Eip712Domain {
        name: Some(name.into()),
        version: Some("1".into()),
        chain_id: Some(chain_id),
        verifying_contract: Some(Address::ZERO),
        salt: None,
    }
}

/// Returns the digest that a wallet signs, or `None` when a value does not fit its type.
pub(crate) fn digest(
    domain: Eip712Domain,
    primary_type: &str,
    fields: Vec<Field<'_>>,
) -> Option<B256> {
    let properties = fields
        .iter()
        .map(|field| PropertyDef::new(field.kind, field.name.as_ref()))
        .collect::<Result<_, _>>()
        .ok()?;
    let mut resolver = Resolver::default();
    resolver.ingest(TypeDef::new(primary_type, properties).ok()?);
    let message = fields.into_iter().map(|field| (field.name.into_owned(), field.value)).collect();
    let typed_data = TypedData {
        domain,
        resolver,
        primary_type: primary_type.to_owned(),
        message: Value::Object(message),
    };
    typed_data.eip712_signing_hash().ok()
}
