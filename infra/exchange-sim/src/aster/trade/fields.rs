//! Fields of one order: the parameters of a request, or an element of a batch.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::{Parameters, refusal::Refusal};
use crate::market::Num;

/// Fields by name. A field without a value is absent.
pub(super) struct Fields(BTreeMap<String, String>);

impl Fields {
    pub(super) fn of(parameters: &Parameters) -> Self {
        let pairs = parameters.pairs().filter(|(_, value)| !value.is_empty());
        Self(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// Reads the elements of a batch: a list of objects with texts, numbers or booleans.
    pub(super) fn batch(text: &str, name: &'static str) -> Result<Vec<Self>, Refusal> {
        let read: Result<Vec<BTreeMap<String, Value>>, _> = serde_json::from_str(text);
        let orders = read.map_err(|_| Refusal::Invalid(name))?;
        if orders.is_empty() || orders.len() > 5 {
            return Err(Refusal::Trade(
                -1_100,
                format!("Illegal characters found in parameter '{name}'; legal range is '1 to 5'."),
            ));
        }
        let fields = |order: BTreeMap<String, Value>| {
            let pairs = order.into_iter().filter_map(|(name, value)| match value {
                Value::String(text) => Some((name, text)),
                Value::Number(number) => Some((name, number.to_string())),
                Value::Bool(flag) => Some((name, flag.to_string())),
                _ => None,
            });
            Self(pairs.collect())
        };
        Ok(orders.into_iter().map(fields).collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Returns a mandatory field.
    pub(super) fn text(&self, name: &'static str) -> Result<&str, Refusal> {
        self.get(name).ok_or(Refusal::Missing(name))
    }

    /// Returns a mandatory decimal.
    pub(super) fn number(&self, name: &'static str) -> Result<Num, Refusal> {
        decimal(self.text(name)?, name)
    }

    /// Returns a flag, false if it is absent.
    pub(super) fn flag(&self, name: &'static str) -> Result<bool, Refusal> {
        match self.get(name).map(str::to_lowercase).as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Refusal::Invalid(name)),
        }
    }

    /// Refuses fields that do not belong to the order's type.
    pub(super) fn without(&self, names: &[&str]) -> Result<(), Refusal> {
        match names.iter().find(|name| self.0.contains_key(**name)) {
            None => Ok(()),
            Some(name) => {
                Err(Refusal::Trade(-1_106, format!("Parameter '{name}' sent when not required.")))
            }
        }
    }

    /// Returns the number or the client's id of an existing order. The number has precedence.
    pub(super) fn order_name(&self) -> Result<OrderName, Refusal> {
        match (self.get("orderId"), self.get("origClientOrderId")) {
            (Some(oid), _) => {
                oid.parse().map(OrderName::Oid).map_err(|_| Refusal::Invalid("orderId"))
            }
            (None, Some(client)) => Ok(OrderName::Client(client.to_owned())),
            (None, None) => Err(Refusal::Missing("orderId")),
        }
    }
}

/// What names an existing order.
pub(super) enum OrderName {
    Oid(u64),
    Client(String),
}

fn decimal(text: &str, name: &'static str) -> Result<Num, Refusal> {
    let plain = text.bytes().all(|it| it.is_ascii_digit() || it == b'.');
    if !plain || text.is_empty() || text.matches('.').count() > 1 {
        return Err(Refusal::Trade(
            -1_100,
            format!(
                "Illegal characters found in parameter '{name}'; legal range is \
                 '^([0-9]{{1,20}})(\\.[0-9]{{1,20}})?$'."
            ),
        ));
    }
    Num::parse(text).ok_or_else(precision)
}

/// Returns the refusal of a number with too many digits.
pub(super) fn precision() -> Refusal {
    let text = "Precision is over the maximum defined for this asset.";
    Refusal::Trade(-1_111, text.to_owned())
}
