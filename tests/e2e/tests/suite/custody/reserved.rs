//! Tests texts that move money or approve keys at another venue. The API refuses to sign them, and
//! so does the cosigner if an endpoint skips its own check.

#![expect(clippy::unwrap_used, reason = "a failing test panics")]

use domain::intent::{Intent, MessageError, PersonalMessage};
use e2e::attacker::Attacker;
use e2e::wire::tables;
use protocol::Refusal;
use serde_json::json;

const LAST_LINE: &str = "Only sign this message for a trusted client!";

/// Lighter's L1 texts. Source: `types/txtypes/utils.go` of its Go SDK, and its compiled signer for
/// Approve Integrator and Airdrop Allocation.
const TRANSFER: &str = "Transfer\n\nnonce: 0x0000000000000007\n\
    from: 0x000000000000001c (route 0x0000000000000000)\napi key: 0x0000000000000004\n\
    to: 0x000000000000002d (route 0x0000000000000000)\nasset: 0x0000000000000003\n\
    amount: 0x00000000000f4240\nfee: 0x00000000002dc6c0\nchainId: 0x0000000000000130\n\
    memo: 0000000000000000000000000000000000000000000000000000000000000000\n\
    Only sign this message for a trusted client!";
const APPROVE_INTEGRATOR: &str = "Approve Integrator\n\nnonce: 0x0000000000000007\n\
    account index: 0x000000000000001c\napi key index: 0x0000000000000004\n\
    integrator account index: 0x000000000000002d\nmax perps taker fee: 0x00000000000003e8\n\
    max perps maker fee: 0x00000000000003e8\nmax spot taker fee: 0x00000000000003e8\n\
    max spot maker fee: 0x00000000000003e8\napproval expiry: 0x000001a0c1a4e000\n\
    chainId: 0x0000000000000130\nOnly sign this message for a trusted client!";
const CREATE_SUB_ACCOUNT: &str = "Create Lighter Sub Account\n\n\
    master account index: 0x000000000000001c\nOnly sign this message for a trusted client!";
const AIRDROP_ALLOCATION: &str = "Airdrop Allocation\n\nallocations: 100% to 45\n\
    chainId: 0x0000000000000130\nOnly sign this message for a trusted client!";

/// Builds the message as an endpoint that skips its own check would send it.
fn unchecked(text: &str) -> Intent {
    let bytes = postcard::to_stdvec(text).unwrap();
    Intent::PersonalMessage(postcard::from_bytes::<PersonalMessage>(&bytes).unwrap())
}

/// Checks that neither party signs the text, in Lighter's spelling or in others.
async fn assert_neither_party_signs(text: &str) {
    let attacker = Attacker::new().await;
    let app = &attacker.app;
    let error = MessageError::Reserved.to_string();
    let body = text.strip_suffix(LAST_LINE).unwrap();
    let spellings = [
        LAST_LINE,
        "ONLY SIGN THIS MESSAGE FOR A TRUSTED CLIENT!",
        "only\u{3000}sign\tthis  message for\u{a0}a trusted client!",
        "Only sign th\u{200b}is mess\u{ad}age for a tr\u{2060}usted client!",
        "Ｏｎｌｙ ｓｉｇｎ ｔｈｉｓ ｍｅｓｓａｇｅ ｆｏｒ ａ ｔｒｕｓｔｅｄ ｃｌｉｅｎｔ！",
    ];
    let before = tables(app).await;
    for spelling in spellings {
        let message = json!({ "message": format!("{body}{spelling}") });
        let reply = app.post("/api/wallets/victim/sign", message).await;
        assert_eq!((reply.status, reply.text("/code")), (400, "BAD_REQUEST"), "{reply:?}");
        assert_eq!(reply.text("/error"), error, "{spelling}");
    }
    assert!(tables(app).await == before, "a refusal wrote something");
    for (index, spelling) in spellings.into_iter().enumerate() {
        let session = [u8::try_from(index).unwrap() + 1; 32];
        let opened = attacker.open(session, &unchecked(&format!("{body}{spelling}"))).await;
        assert_eq!(opened.map(|_| ()), Err(Refusal::Policy(error.clone())), "{spelling}");
    }
    // Without its last line, Lighter does not accept the text.
    let harmless = json!({ "message": body });
    assert_eq!(app.post("/api/wallets/victim/sign", harmless).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn lighter_transfer_is_refused() {
    assert_neither_party_signs(TRANSFER).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lighter_integrator_approval_is_refused() {
    assert_neither_party_signs(APPROVE_INTEGRATOR).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lighter_sub_account_is_refused() {
    assert_neither_party_signs(CREATE_SUB_ACCOUNT).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lighter_airdrop_allocation_is_refused() {
    assert_neither_party_signs(AIRDROP_ALLOCATION).await;
}
