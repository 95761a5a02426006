//! Requests for the payment policy.

use domain::policy::{Approval, Change, Proposal, Quorum, Signature};
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use crate::api::body::JsonBody;
use crate::api::error::ApiError;
use crate::schema;

/// Most approvals of a request: as many as an authority has approvers.
const MAX_APPROVALS: usize = 16;

/// The longest signature that is passed on, in characters.
const MAX_SIGNATURE: usize = 4_096;

/// `POST /api/policy/changes`.
#[derive(ToSchema, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProposePolicyChange {
    /// The change: an object with its type and the fields of that type.
    #[schema(value_type = Object)]
    pub change: Change,
    /// The time until which approvals count, Unix seconds. Absent without approvals: three days from
    /// now.
    #[schema(value_type = Option<schema::UnixSeconds>)]
    pub not_after: Option<u64>,
    /// The authority that signs. Absent: tenant.
    #[schema(value_type = Option<schema::QuorumName>)]
    pub quorum: Quorum,
    /// The number of the change, as the text has it. Required with approvals.
    #[schema(value_type = Option<schema::ChangeNumber>)]
    pub sequence: Option<u64>,
    /// The hash of the change before it, as the text has it. Required with approvals.
    #[schema(value_type = Option<schema::PolicyHash>)]
    pub previous_hash: Option<String>,
    /// Signatures of the text. Absent: the response returns the text, and nothing is written.
    #[schema(value_type = Option<Vec<ApprovalFields>>, min_items = 1, max_items = 16)]
    pub approvals: Vec<Approval>,
}

impl ProposePolicyChange {
    /// Reads and checks a request.
    ///
    /// # Errors
    /// 400, naming the field.
    pub fn read(body: &JsonBody) -> Result<Self, ApiError> {
        body.only::<Self>()?;
        let change =
            parsed::<Change>(body, "change")?.ok_or_else(|| ApiError::missing("change"))?;
        change.check().map_err(|error| ApiError::bad_request(format!("change: {error}")))?;
        let signed = Signed::read(body)?;
        let Signed { not_after, quorum, sequence, previous_hash, approvals } = signed;
        Ok(Self { change, not_after, quorum, sequence, previous_hash, approvals })
    }

    /// Returns the proposal for the cosigner. Returns `None` without approvals.
    ///
    /// # Errors
    /// 400, naming the field that a proposal with approvals requires.
    pub fn proposal(&self) -> Result<Option<Proposal>, ApiError> {
        let signed = Signed {
            not_after: self.not_after,
            quorum: self.quorum,
            sequence: self.sequence,
            previous_hash: self.previous_hash.clone(),
            approvals: self.approvals.clone(),
        };
        signed.proposal(self.change.clone())
    }
}

/// `POST /api/policy/changes/{sequence}/approvals`.
#[derive(ToSchema, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApprovePolicyChange {
    /// The change that the path names.
    #[schema(ignore)]
    pub seq: u64,
    /// The approver's id.
    #[schema(value_type = schema::ApproverId)]
    pub approver: String,
    /// Its signature of the change's text.
    #[schema(value_type = SignatureFields)]
    pub signature: Signature,
}

impl ApprovePolicyChange {
    /// Reads and checks a request. `sequence`: the change in the path.
    ///
    /// # Errors
    /// 400, naming the field or the parameter.
    pub fn read(sequence: &str, body: &JsonBody) -> Result<Self, ApiError> {
        let seq = number_of_change(sequence)?;
        body.only::<Self>()?;
        let approver = body.required("approver")?.to_owned();
        let signature = parsed::<Signature>(body, "signature")?;
        let signature = signature.ok_or_else(|| ApiError::missing("signature"))?;
        let approval = checked(Approval { approver, signature }, "signature")?;
        Ok(Self { seq, approver: approval.approver, signature: approval.signature })
    }
}

/// `DELETE /api/policy/changes/{sequence}`.
#[derive(ToSchema, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CancelPolicyChange {
    /// The change that the path names.
    #[schema(ignore)]
    pub target: u64,
    /// The time until which approvals count, Unix seconds. Absent without approvals: three days from
    /// now.
    #[schema(value_type = Option<schema::UnixSeconds>)]
    pub not_after: Option<u64>,
    /// The authority that signs. Absent: tenant.
    #[schema(value_type = Option<schema::QuorumName>)]
    pub quorum: Quorum,
    /// The number of the cancellation, which is a change itself. Required with approvals.
    #[schema(value_type = Option<schema::ChangeNumber>)]
    pub sequence: Option<u64>,
    /// The hash of the change before it, as the text has it. Required with approvals.
    #[schema(value_type = Option<schema::PolicyHash>)]
    pub previous_hash: Option<String>,
    /// Signatures of the cancellation's text; one suffices. Absent: the response is 409 with the
    /// text, and nothing is cancelled.
    #[schema(value_type = Option<Vec<ApprovalFields>>, min_items = 1, max_items = 16)]
    pub approvals: Vec<Approval>,
}

impl CancelPolicyChange {
    /// Reads and checks a request. `sequence`: the change in the path.
    ///
    /// # Errors
    /// 400, naming the field or the parameter.
    pub fn read(sequence: &str, body: &JsonBody) -> Result<Self, ApiError> {
        let target = number_of_change(sequence)?;
        body.only::<Self>()?;
        let Signed { not_after, quorum, sequence, previous_hash, approvals } = Signed::read(body)?;
        Ok(Self { target, not_after, quorum, sequence, previous_hash, approvals })
    }

    /// Returns the change that cancels.
    #[must_use]
    pub const fn change(&self) -> Change {
        Change::Cancel { seq: self.target }
    }

    /// Returns the proposal for the cosigner. Returns `None` without approvals.
    ///
    /// # Errors
    /// 400, naming the field that a proposal with approvals requires.
    pub fn proposal(&self) -> Result<Option<Proposal>, ApiError> {
        let signed = Signed {
            not_after: self.not_after,
            quorum: self.quorum,
            sequence: self.sequence,
            previous_hash: self.previous_hash.clone(),
            approvals: self.approvals.clone(),
        };
        signed.proposal(self.change())
    }
}

/// An approver's signature of a text.
#[derive(ToSchema, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = PolicyApproval)]
#[expect(dead_code, reason = "describes a part of a body")]
pub(super) struct ApprovalFields {
    /// The approver's id.
    #[schema(value_type = schema::ApproverId)]
    approver: String,
    /// Its signature of the text.
    signature: SignatureFields,
}

/// A signature: one of the two fields.
#[derive(ToSchema, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = PolicySignature)]
#[expect(dead_code, reason = "describes a part of a body")]
pub(super) struct SignatureFields {
    /// ECDSA with SHA-256 over the text, DER in hex.
    #[schema(value_type = Option<schema::DerSignature>)]
    der: Option<String>,
    /// A WebAuthn assertion whose challenge is the text's SHA-256.
    #[schema(value_type = Option<AssertionFields>)]
    web_authn: Option<AssertionFields>,
}

/// A WebAuthn assertion, base64url without padding.
#[derive(ToSchema, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = WebAuthnAssertion)]
#[expect(dead_code, reason = "describes a part of a body")]
pub(super) struct AssertionFields {
    /// The authenticator's data.
    authenticator_data: String,
    /// The client's data.
    client_data_json: String,
    /// The signature.
    signature: String,
}

/// The fields that a signed text and its signatures have.
struct Signed {
    not_after: Option<u64>,
    quorum: Quorum,
    sequence: Option<u64>,
    previous_hash: Option<String>,
    approvals: Vec<Approval>,
}

impl Signed {
    fn read(body: &JsonBody) -> Result<Self, ApiError> {
        let approvals = parsed::<Vec<Approval>>(body, "approvals")?;
        if approvals.as_ref().is_some_and(|list| !(1..=MAX_APPROVALS).contains(&list.len())) {
            return Err(ApiError::bad_request("approvals must have 1 to 16 entries"));
        }
        let approvals = approvals.unwrap_or_default();
        let approvals = approvals.into_iter().map(|approval| checked(approval, "approvals"));
        Ok(Self {
            // JSON numbers above this lose digits in many languages.
            not_after: body.number("notAfter", 1..=4_102_444_800)?,
            quorum: match body.optional("quorum")? {
                None | Some("tenant") => Quorum::Tenant,
                Some("root") => Quorum::Root,
                Some(_) => return Err(ApiError::bad_request("quorum must be tenant or root")),
            },
            sequence: body.number("sequence", 1..=MAX_SEQUENCE)?,
            previous_hash: body.optional("previousHash")?.map(hash).transpose()?,
            approvals: approvals.collect::<Result<_, _>>()?,
        })
    }

    fn proposal(self, change: Change) -> Result<Option<Proposal>, ApiError> {
        if self.approvals.is_empty() {
            return Ok(None);
        }
        let missing = ApiError::missing;
        Ok(Some(Proposal {
            seq: self.sequence.ok_or_else(|| missing("sequence"))?,
            prev_hash: self.previous_hash.ok_or_else(|| missing("previousHash"))?,
            change,
            not_after_s: self.not_after.ok_or_else(|| missing("notAfter"))?,
            quorum: self.quorum,
            approvals: self.approvals,
        }))
    }
}

/// The greatest number of a change: a record's key has 12 digits.
const MAX_SEQUENCE: u64 = 999_999_999_999;

fn number_of_change(text: &str) -> Result<u64, ApiError> {
    let number = text.parse::<u64>().ok().filter(|number| number.to_string() == text);
    number
        .filter(|number| (1..=MAX_SEQUENCE).contains(number))
        .ok_or_else(|| ApiError::bad_request("sequence must be the number of a change, such as 7"))
}

fn hash(text: &str) -> Result<String, ApiError> {
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() == 64 && text.bytes().all(is_hex) {
        return Ok(text.to_owned());
    }
    Err(ApiError::bad_request("previousHash must have 64 lower-case hex digits"))
}

/// Checks the form of an approval.
///
/// # Errors
/// 400, naming the field.
pub(super) fn checked(approval: Approval, field: &'static str) -> Result<Approval, ApiError> {
    let is_id = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let id = &approval.approver;
    if !(1..=32).contains(&id.len()) || !id.bytes().all(is_id) {
        return Err(ApiError::bad_request("approver must have 1 to 32 characters of a-z 0-9 -"));
    }
    let longest = match &approval.signature {
        Signature::Der(der) => der.len(),
        Signature::WebAuthn { authenticator_data, client_data_json, signature } => {
            authenticator_data.len().max(client_data_json.len()).max(signature.len())
        }
    };
    if longest > MAX_SIGNATURE {
        return Err(ApiError::bad_request(format!("{field} has a signature that is too long")));
    }
    Ok(approval)
}

/// Parses the JSON of an optional field as a type of the policy.
fn parsed<T: DeserializeOwned>(body: &JsonBody, field: &str) -> Result<Option<T>, ApiError> {
    let Some(value) = body.value(field) else { return Ok(None) };
    serde_json::from_value(value.clone()).map(Some).map_err(|error| {
        // The text may repeat names of the caller, so it is shown with a limited length.
        let cause = error.to_string();
        let cause = cause.chars().filter(|letter| !letter.is_control()).take(200);
        ApiError::bad_request(format!("{field} is invalid: {}", cause.collect::<String>()))
    })
}
