//! Error responses: components that operations of one tag share.
//!
//! A component lists every error that the operations of its tag return with its status. If all
//! tags have the same errors for a status, they share one component. An operation refers to the
//! component, and the reference's description lists the operation's own codes.

use std::collections::{BTreeMap, BTreeSet};

use http::StatusCode;
use serde_json::Value;
use shared::api::error::ApiError;
use utoipa::openapi::example::Example;
use utoipa::openapi::{Components, ContentBuilder, Ref, RefOr, ResponseBuilder};

use crate::operations::Operation;
use crate::tags::Tag;
use crate::{JSON, headers};

/// The time in every example, Unix milliseconds.
const EXAMPLE_MS: u64 = 1_762_765_034_479;

/// The errors of a response, by the names of their examples.
type Errors<'a> = BTreeMap<&'a str, &'a ApiError>;

pub(crate) struct Refusals {
    /// Each distinct error: its body, the name of its example, and the error.
    examples: BTreeMap<String, (String, ApiError)>,
    responses: BTreeMap<u16, BTreeMap<Tag, Vec<String>>>,
    /// The tags with operations whose responses state the ids of orders.
    of_orders: BTreeSet<Tag>,
}

impl Refusals {
    /// Collects the errors of these operations.
    pub(crate) fn of(operations: &[Operation]) -> Self {
        let naming = operations.iter().filter(|operation| operation.names_orders);
        let of_orders = naming.map(|operation| operation.tag).collect();
        let mut all = Self { examples: BTreeMap::new(), responses: BTreeMap::new(), of_orders };
        let mut numbers: BTreeMap<&'static str, u32> = BTreeMap::new();
        for operation in operations {
            for error in &operation.errors {
                let body = error.body(EXAMPLE_MS);
                all.examples.entry(body.clone()).or_insert_with(|| {
                    let number = numbers.entry(error.code).or_default();
                    *number += 1;
                    let name = match number {
                        1 => error.code.to_owned(),
                        more => format!("{}_{more}", error.code),
                    };
                    (name, error.clone())
                });
                let tags = all.responses.entry(error.status).or_default();
                let bodies = tags.entry(operation.tag).or_default();
                if !bodies.contains(&body) {
                    bodies.push(body);
                }
            }
        }
        for bodies in all.responses.values_mut().flat_map(BTreeMap::values_mut) {
            bodies.sort_unstable();
        }
        all
    }

    /// Adds the components referred to by [`Self::responses`].
    pub(crate) fn add_to(&self, components: &mut Components) {
        for (body, (name, _)) in &self.examples {
            let mut example = Example::new();
            example.value = serde_json::from_str(body).map(Some).unwrap_or(Some(Value::Null));
            components.examples.insert(name.clone(), RefOr::T(example));
        }
        for (status, tags) in &self.responses {
            for (tag, bodies) in tags {
                let known = bodies.iter().filter_map(|body| self.examples.get(body));
                let errors = known.map(|(name, error)| (name.as_str(), error)).collect();
                let name = self.name(*status, *tag);
                let mut response = response(*status, &errors);
                // All tags share a response of errors that no order has reached.
                if self.of_orders.contains(tag) && name.starts_with(&tag.prefix()) {
                    response = headers::client_order_id(response);
                }
                components.responses.insert(name, RefOr::T(response.build()));
            }
        }
    }

    /// Returns the operation's error responses by their statuses.
    pub(crate) fn responses(&self, operation: &Operation) -> BTreeMap<u16, Ref> {
        let mut codes: BTreeMap<u16, Vec<&str>> = BTreeMap::new();
        for error in &operation.errors {
            codes.entry(error.status).or_default().push(error.code);
        }
        let refer = |(status, codes)| {
            let mut place = Ref::from_response_name(self.name(status, operation.tag));
            place.description = listed(codes);
            (status, place)
        };
        codes.into_iter().map(refer).collect()
    }

    /// Returns the component's name: the status in words, with the tag in front if tags differ.
    fn name(&self, status: u16, tag: Tag) -> String {
        let words = StatusCode::from_u16(status).ok().and_then(|it| it.canonical_reason());
        let word = words.unwrap_or_default().replace(' ', "");
        let tags = self.responses.get(&status);
        let mut sets = tags.into_iter().flat_map(BTreeMap::values);
        let first = sets.next();
        if sets.all(|set| Some(set) == first) { word } else { tag.prefix() + &word }
    }
}

/// Returns the distinct codes, formatted for a response's description.
fn listed(mut codes: Vec<&str>) -> String {
    codes.sort_unstable();
    codes.dedup();
    codes.join(", ")
}

fn response(status: u16, errors: &Errors<'_>) -> ResponseBuilder {
    let shown = errors.keys().map(|name| {
        let place = Ref::new(format!("#/components/examples/{name}"));
        (*name, RefOr::<Example>::Ref(place))
    });
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Error")))
        .examples_from_iter(shown)
        .build();
    let codes = errors.values().map(|error| error.code).collect();
    let mut response = ResponseBuilder::new().description(listed(codes)).content(JSON, content);
    response = headers::request_id(response);
    if status == 405 {
        response = headers::allow(response);
    }
    if errors.values().any(|error| error.retry_after_s.is_some()) {
        response = headers::retry_after(response);
    }
    response
}
