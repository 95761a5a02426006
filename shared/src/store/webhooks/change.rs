//! Changes of a webhook by its tenant.

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use domain::ids::Tenant;
use platform::items::{StoreError, from_item};

use super::types::{StoredTypes, stored_types};
use super::{WebhookId, WebhookRecord, update_error};
use crate::events::EventType;
use crate::store::Store;
use crate::store::credentials::number;

/// A change of a webhook. Absent fields keep their value. At least one is present.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct WebhookChange {
    /// The URL that receives the events; already checked.
    pub url: Option<String>,
    /// The event types to send. Types that this version does not know keep their state.
    pub events: Option<Vec<EventType>>,
    /// The tenant's description; empty for none.
    pub description: Option<String>,
    /// Whether events are sent. `true` also ends what the receiver's 410 began.
    pub enabled: Option<bool>,
}

/// The clauses of an update, and its condition.
struct Clauses {
    set: Vec<String>,
    remove: Vec<&'static str>,
    condition: String,
}

impl Clauses {
    fn new() -> Self {
        let condition = "#id = :id AND attribute_not_exists(#deleted)".to_owned();
        Self { set: Vec::new(), remove: Vec::new(), condition }
    }

    /// Removes an attribute, once.
    fn remove(&mut self, name: &'static str) {
        if !self.remove.contains(&name) {
            self.remove.push(name);
        }
    }

    /// Returns the update with its expressions.
    fn apply(self, update: UpdateItemFluentBuilder) -> UpdateItemFluentBuilder {
        let set = (!self.set.is_empty()).then(|| format!("SET {}", self.set.join(", ")));
        let remove =
            (!self.remove.is_empty()).then(|| format!("REMOVE {}", self.remove.join(", ")));
        let clauses: Vec<String> = set.into_iter().chain(remove).collect();
        update
            .update_expression(clauses.join(" "))
            .condition_expression(self.condition)
            .expression_attribute_names("#deleted", "deletedAtMs")
    }
}

impl Store {
    /// Changes a webhook, and returns it.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it does not exist.
    pub async fn update_webhook(
        &self,
        tenant: &Tenant,
        id: WebhookId,
        change: &WebhookChange,
        now_ms: u64,
    ) -> Result<WebhookRecord, StoreError> {
        let types = change.events.as_deref().map(stored_types);
        // The function may not read the item. Each form of the update therefore states in its
        // condition whether the item has the map of later types. Another call can add the map
        // between the first two.
        let forms: &[bool] = if types.is_some() { &[true, false, true] } else { &[true] };
        let mut last = Err(StoreError::Conflict);
        for has_map in forms {
            last = self.update_form(tenant, id, change, (types.as_ref(), *has_map), now_ms).await;
            if !matches!(last, Err(StoreError::Conflict)) {
                break;
            }
        }
        last
    }

    async fn update_form(
        &self,
        tenant: &Tenant,
        id: WebhookId,
        change: &WebhookChange,
        (types, has_map): (Option<&StoredTypes>, bool),
        now_ms: u64,
    ) -> Result<WebhookRecord, StoreError> {
        let mut clauses = Clauses::new();
        let mut update = self.on_webhook(tenant, id).return_values(ReturnValue::AllNew);
        if let Some(url) = &change.url {
            clauses.set.push("#url = :url".to_owned());
            // What an earlier receiver did says nothing about the new one.
            clauses.remove("#failing");
            clauses.remove("#failure");
            update = update
                .expression_attribute_names("#url", "url")
                .expression_attribute_names("#failure", "lastFailure")
                .expression_attribute_values(":url", AttributeValue::S(url.clone()));
        }
        if let Some(types) = types {
            update = types_changed(update, &mut clauses, types, has_map);
        }
        if let Some(description) = &change.description {
            update = update.expression_attribute_names("#description", "description");
            if description.is_empty() {
                clauses.remove("#description");
            } else {
                clauses.set.push("#description = :description".to_owned());
                let text = AttributeValue::S(description.clone());
                update = update.expression_attribute_values(":description", text);
            }
        }
        if let Some(enabled) = change.enabled {
            update = update.expression_attribute_names("#disabled", "disabledAtMs");
            if enabled {
                clauses.remove("#disabled");
                clauses.remove("#failing");
            } else {
                clauses.set.push("#disabled = if_not_exists(#disabled, :now)".to_owned());
                update = update.expression_attribute_values(":now", number(now_ms));
            }
        }
        if clauses.remove.contains(&"#failing") {
            update = update.expression_attribute_names("#failing", "failingSinceMs");
        }
        let output = clauses.apply(update).send().await.map_err(update_error)?;
        from_item("webhook", output.attributes.unwrap_or_default())
    }
}

/// Adds the change of the types. With a map of later types in the item, only the entries of the
/// types that this version knows are set.
fn types_changed(
    update: UpdateItemFluentBuilder,
    clauses: &mut Clauses,
    (first, later): &StoredTypes,
    has_map: bool,
) -> UpdateItemFluentBuilder {
    let names = first.iter().map(|name| AttributeValue::S(name.to_string())).collect();
    clauses.set.push("#events = :events".to_owned());
    let mut update = update
        .expression_attribute_names("#events", "events")
        .expression_attribute_values(":events", AttributeValue::L(names))
        .expression_attribute_names("#more", "moreEvents");
    let flag = AttributeValue::Bool;
    if !has_map {
        clauses.condition.push_str(" AND attribute_not_exists(#more)");
        clauses.set.push("#more = :more".to_owned());
        let more = later.iter().map(|(name, sent)| (name.to_string(), flag(*sent))).collect();
        return update.expression_attribute_values(":more", AttributeValue::M(more));
    }
    clauses.condition.push_str(" AND attribute_exists(#more)");
    for (index, (name, sent)) in later.iter().enumerate() {
        clauses.set.push(format!("#more.#type{index} = :type{index}"));
        update = update
            .expression_attribute_names(format!("#type{index}"), name.to_string())
            .expression_attribute_values(format!(":type{index}"), flag(*sent));
    }
    update
}
