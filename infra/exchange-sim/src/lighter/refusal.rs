//! The exchange's error codes with their texts, as in its list of codes.

use serde_json::{Value, json};

/// Reason for a refusal. `code` and `message` are the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: u32,
    pub(super) message: &'static str,
}

const fn refusal(code: u32, message: &'static str) -> Refusal {
    Refusal { code, message }
}

pub(super) const INVALID_PARAMETER: Refusal = refusal(20_001, "invalid param");
pub(super) const NO_TOKEN: Refusal =
    refusal(20_001, "invalid param : auth query param and Authorization header are empty");
/// The real text is not published.
pub(super) const INVALID_TOKEN: Refusal = refusal(20_013, "invalid auth token");
pub(super) const RESTRICTED: Refusal = refusal(20_558, "restricted jurisdiction");
pub(super) const ACCOUNT_NOT_FOUND: Refusal = refusal(21_100, "account not found");
pub(super) const INVALID_NONCE: Refusal = refusal(21_104, "invalid nonce");
pub(super) const NONCE_NOT_INCREASING: Refusal =
    refusal(21_105, "batch transaction nonce is not increasing");
pub(super) const KEY_NOT_FOUND: Refusal = refusal(21_109, "api key not found");
pub(super) const INVALID_FRACTION: Refusal = refusal(21_113, "invalid initial margin fraction");
pub(super) const INVALID_SIGNATURE: Refusal = refusal(21_120, "invalid signature");
pub(super) const SEVERAL_SENDERS: Refusal =
    refusal(21_121, "all transactions in the batch must have use same account and apikey");
pub(super) const MODE_CHANGE: Refusal =
    refusal(21_132, "margin mode change on a market with position or open order is not allowed");
pub(super) const UPDATE_SDK: Refusal =
    refusal(21_136, "invalid PublicKey, update the sdk to the latest version");
pub(super) const NOT_APPROVED: Refusal = refusal(21_149, "integrator is not approved");
pub(super) const TX_NOT_FOUND: Refusal = refusal(21_500, "transaction not found");
pub(super) const INVALID_TX_INFO: Refusal = refusal(21_501, "invalid tx info");
pub(super) const UNSUPPORTED_TYPE: Refusal = refusal(21_505, "unsupported tx type");
pub(super) const BELOW_INITIAL_MARGIN: Refusal =
    refusal(21_508, "account is below initial margin, can't execute transaction");
pub(super) const BATCH_LENGTH: Refusal =
    refusal(21_513, "TxInfos and TxTypes should have the same length");
pub(super) const BATCH_SIZE: Refusal = refusal(21_514, "maximum 50 transactions allowed per batch");
pub(super) const NOT_AN_ACTIVE_LIMIT: Refusal =
    refusal(21_600, "given order is not an active limit order");
pub(super) const INVALID_MARKET: Refusal = refusal(21_602, "invalid market index");
pub(super) const MINIMUM: Refusal = refusal(21_603, "invalid min amounts for market");
pub(super) const MARKET_STATUS: Refusal = refusal(21_605, "invalid market status");
pub(super) const INVALID_MODE: Refusal = refusal(21_613, "invalid margin mode");
pub(super) const ORDER_INDEX: Refusal = refusal(21_700, "invalid order index");
pub(super) const BASE_AMOUNT: Refusal = refusal(21_701, "invalid base amount");
pub(super) const PRICE: Refusal = refusal(21_702, "invalid price");
pub(super) const IS_ASK: Refusal = refusal(21_703, "invalid isAsk");
pub(super) const ORDER_TYPE: Refusal = refusal(21_704, "invalid OrderType");
pub(super) const TIME_IN_FORCE: Refusal = refusal(21_705, "invalid OrderTimeInForce");
pub(super) const ORDER_EMPTY: Refusal = refusal(21_708, "order is empty");
pub(super) const ORDER_INACTIVE: Refusal = refusal(21_709, "order is inactive");
pub(super) const EXPIRY: Refusal = refusal(21_711, "invalid expiry");
pub(super) const CANCEL_ALL_KIND: Refusal = refusal(21_713, "invalid cancel all time in force");
pub(super) const CANCEL_ALL_TIME: Refusal = refusal(21_714, "invalid cancel all time");
pub(super) const CLIENT_INDEX: Refusal = refusal(21_727, "invalid client order index");
pub(super) const CLIENT_INDEX_TAKEN: Refusal = refusal(21_728, "client order index already exists");
pub(super) const TRIGGER_PRICE: Refusal = refusal(21_729, "invalid order trigger price");
pub(super) const ACCIDENTAL_PRICE: Refusal =
    refusal(21_733, "order price flagged as an accidental price");
pub(super) const ORDER_MARGIN: Refusal = refusal(21_739, "not enough margin to create the order");
pub(super) const REDUCE_ONLY: Refusal = refusal(21_740, "invalid reduce only mode");
pub(super) const GROUPING: Refusal = refusal(21_741, "invalid grouping type");
pub(super) const GROUP_SIZE: Refusal = refusal(21_742, "invalid order group size");
pub(super) const TOO_MANY: Refusal = refusal(23_000, "Too Many Requests!");
pub(super) const NOT_FOUND: Refusal = refusal(29_404, "not found");

impl Refusal {
    pub(super) fn body(self) -> Value {
        json!({"code": self.code, "message": self.message})
    }
}
