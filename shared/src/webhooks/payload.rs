//! The contents of events. Nothing else is ever sent, so no secret can be.

use domain::ids::Exchange;
use serde::Serialize;
use utoipa::ToSchema;

use super::EventType;
use crate::schema;

/// The body of a delivery.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct EventBody<T: ToSchema> {
    #[serde(rename = "type")]
    #[schema(value_type = schema::SentEventTypeName)]
    pub(super) kind: EventType,
    /// The time of the event.
    #[schema(value_type = schema::Seconds)]
    pub(super) timestamp: String,
    pub(super) data: T,
}

/// Defines the contents of an event about a wallet at an exchange: the fields that all of them have,
/// then its own.
macro_rules! of_a_wallet {
    ($(#[$about:meta])+ struct $name:ident { $($own:tt)* }) => {
        $(#[$about])+
        #[derive(Serialize, ToSchema, Debug)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            #[schema(value_type = schema::WalletId)]
            pub(super) wallet_id: String,
            /// The wallet's user.
            #[serde(skip_serializing_if = "Option::is_none")]
            #[schema(value_type = schema::UserName, required = false)]
            pub(super) user_id: Option<String>,
            #[schema(value_type = schema::ExchangeName)]
            pub(super) exchange: Exchange,
            $($own)*
        }
    };
}

/// `wallet.created`.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct WalletCreated {
    #[schema(value_type = schema::UserName)]
    pub(super) user_id: String,
    /// The wallet's address, EIP-55.
    #[schema(value_type = schema::AddressText)]
    pub(super) address: String,
    #[schema(value_type = schema::WalletId)]
    pub(super) wallet_id: String,
}

of_a_wallet! {
    /// `credential.active`.
    struct CredentialActive {
        /// The agent's address; absent for an API key that the exchange made (Aster's V1).
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(value_type = schema::AddressText, required = false)]
        pub(super) agent_address: Option<String>,
        /// The key's expiry.
        #[schema(value_type = schema::UnixMs)]
        pub(super) expiry_timestamp: u64,
        /// Whether it is renewed before it expires.
        pub(super) auto_renew: bool,
    }
}

of_a_wallet! {
    /// `credential.renewed`.
    struct CredentialRenewed {
        /// The new agent.
        #[schema(value_type = schema::AddressText)]
        pub(super) agent_address: String,
        /// The new agent's expiry.
        #[schema(value_type = schema::UnixMs)]
        pub(super) expiry_timestamp: u64,
        /// The previous agent.
        #[schema(value_type = schema::AddressText)]
        pub(super) previous_agent_address: String,
        /// Whether the previous agent stays in use until it expires, because its key was returned to
        /// you and the new one was not. A rotation returns a new key.
        pub(super) previous_kept: bool,
        /// The previous agent's expiry.
        #[schema(value_type = schema::UnixMs)]
        pub(super) previous_expiry_timestamp: u64,
        /// Whether a response has shown the new key. Absent if keys of this exchange are not shown.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(value_type = bool, required = false)]
        pub(super) delivered: Option<bool>,
        /// The action to take for a usable key.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(value_type = String, required = false)]
        pub(super) advice: Option<String>,
    }
}

of_a_wallet! {
    /// `credential.expiring`.
    struct CredentialExpiring {
        /// The agent concerned.
        #[schema(value_type = schema::AddressText)]
        pub(super) agent_address: String,
        /// The agent's expiry.
        #[schema(value_type = schema::UnixMs)]
        pub(super) expiry_timestamp: u64,
        /// Why the key is not renewed automatically: AUTO_RENEW_OFF, KEY_HANDED_OUT or
        /// RENEWAL_FAILING.
        #[schema(value_type = schema::ExpiringReason)]
        pub(super) reason: &'static str,
        /// The action to take for a usable key.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(value_type = String, required = false)]
        pub(super) advice: Option<String>,
    }
}

of_a_wallet! {
    /// `credential.revoked`.
    struct CredentialRevoked {
        /// The revoked agent. Absent for an API key that the exchange made (Aster's V1).
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(value_type = schema::AddressText, required = false)]
        pub(super) agent_address: Option<String>,
    }
}

of_a_wallet! {
    /// `credential.drift`.
    struct CredentialDrift {
        /// The recorded agent.
        #[schema(value_type = schema::AddressText)]
        pub(super) agent_address: String,
        pub(super) found: Vec<DriftEntry>,
        /// The action to take for a usable key.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(value_type = String, required = false)]
        pub(super) advice: Option<String>,
    }
}

/// One difference.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct DriftEntry {
    /// AGENT_UNKNOWN, AGENT_GONE, EXPIRES_EARLY or UNFINISHED.
    #[schema(value_type = schema::DriftKindName)]
    pub(super) kind: &'static str,
    /// The agent concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::AddressText, required = false)]
    pub(super) agent_address: Option<String>,
    /// The exchange's expiry, for EXPIRES_EARLY.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::UnixMs, required = false)]
    pub(super) listed_expiry_timestamp: Option<u64>,
}

of_a_wallet! {
    /// `order.placed`, `order.rejected` and `order.unknown_resolved`.
    struct OrderEvent {
        /// The order's id at the service.
        pub(super) client_order_id: String,
        /// The market, as the request named it.
        pub(super) symbol: String,
        /// BUY or SELL.
        pub(super) side: &'static str,
        /// The order's type.
        #[serde(rename = "type")]
        pub(super) order_type: &'static str,
        /// A decimal.
        pub(super) quantity: String,
        /// A decimal; absent for a market order.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(value_type = String, required = false)]
        pub(super) price: Option<String>,
        /// Whether the order may only reduce a position.
        pub(super) reduce_only: bool,
        /// The exchange's id of an accepted order, if the exchange stated it.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(value_type = String, required = false)]
        pub(super) order_id: Option<String>,
        /// The exchange's own word for the state of an accepted order.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(value_type = String, required = false)]
        pub(super) exchange_status: Option<String>,
        /// The quantity that was filled at once, a decimal.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(value_type = String, required = false)]
        pub(super) filled_quantity: Option<String>,
        /// The average price of the filled part, a decimal.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(value_type = String, required = false)]
        pub(super) average_price: Option<String>,
        /// What was resolved: PLACE or MODIFY. Only in order.unknown_resolved.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(value_type = String, required = false)]
        pub(super) operation: Option<&'static str>,
        /// ACCEPTED, REJECTED or NOT_EXECUTED. Only in order.unknown_resolved.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(value_type = String, required = false)]
        pub(super) outcome: Option<&'static str>,
        /// Why the exchange refused it, as the code of an error.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(value_type = schema::Code, required = false)]
        pub(super) code: Option<String>,
        /// The exchange's own text of the refusal.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(value_type = String, required = false)]
        pub(super) exchange_message: Option<String>,
    }
}

/// `webhook.test`.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct WebhookTest {
    /// The tested webhook.
    #[schema(value_type = schema::WebhookIdText)]
    pub(super) webhook_id: String,
}
