//! Tests stored secrets: they are sealed, bound to their record, and never in plain text.

#![expect(clippy::unwrap_used, reason = "a failing test panics")]

use aws_sdk_dynamodb::types::AttributeValue;
use domain::eth::Address;
use domain::ids::{Exchange, Tenant, UserId};
use domain::random::Random;
use e2e::TestApp;
use platform::envelope::{Context, Envelope, EnvelopeError, Purpose};
use protocol::KeyShare;
use shared::store::{CredentialRecord, NewWallet, ShareRecord, WalletCount, WalletRecord};
use uuid::Uuid;

fn context() -> Context {
    Context {
        tenant: Tenant::local(),
        wallet_id: Uuid::from_bytes([1; 16]),
        purpose: Purpose::AgentKey,
        exchange: Some(Exchange::Aster),
        version: "1".to_owned(),
    }
}

fn others() -> Vec<Context> {
    let base = context();
    vec![
        Context { tenant: "other".parse().unwrap(), ..base.clone() },
        Context { wallet_id: Uuid::from_bytes([2; 16]), ..base.clone() },
        Context { purpose: Purpose::Share, ..base.clone() },
        Context { exchange: Some(Exchange::Hyperliquid), ..base.clone() },
        Context { exchange: None, ..base.clone() },
        Context { version: "2".to_owned(), ..base.clone() },
        // Two fields that would merge if they were joined without their lengths.
        Context { version: "1,walletId=2".to_owned(), ..base },
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn sealed_secret_opens_for_its_own_record_only() {
    let app = TestApp::start().await;
    let envelope = &app.stack.custody.envelope;
    let sealed = envelope.seal(context(), b"secret").await.unwrap();
    assert_eq!(envelope.open(&context(), &sealed).await.unwrap().as_slice(), b"secret");
    for other in others() {
        assert!(envelope.open(&other, &sealed).await.is_err(), "{other:?}");
    }
    let again = envelope.seal(context(), b"secret").await.unwrap();
    let bytes = |sealed| postcard::to_stdvec(sealed).unwrap();
    assert_ne!(bytes(&sealed), bytes(&again), "each secret must have its own data key");
    // It does not open with another KMS key either.
    let key_b = Envelope::new(app.stack.aws().kms(), "alias/hyperdex-cosigner", Random::system());
    assert!(key_b.open(&context(), &sealed).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn altered_sealed_secret_does_not_open() {
    let app = TestApp::start().await;
    let envelope = &app.stack.custody.envelope;
    let sealed = envelope.seal(context(), b"secret").await.unwrap();
    let bytes = postcard::to_stdvec(&sealed).unwrap();
    // Changes a byte in each part: format, wrapped key, nonce and ciphertext.
    for index in [0, 1, 40, bytes.len() - 30, bytes.len() - 20, bytes.len() - 1] {
        let mut changed = bytes.clone();
        changed[index] ^= 1;
        if let Ok(changed) = postcard::from_bytes(&changed) {
            assert!(envelope.open(&context(), &changed).await.is_err(), "byte {index}");
        }
    }
}

/// The KMS of the local stack treats `{a: "1,b=2"}` and `{a: "1", b: "2"}` as the same context. The
/// associated data of the envelope distinguishes them.
#[tokio::test(flavor = "multi_thread")]
async fn associated_data_is_checked_without_kms() {
    let app = TestApp::start().await;
    let envelope = &app.stack.custody.envelope;
    let joined = Context { version: "1,walletId=x".to_owned(), ..context() };
    let sealed = envelope.seal(joined, b"secret").await.unwrap();
    let opened = envelope.open(&context(), &sealed).await;
    assert!(matches!(opened, Err(EnvelopeError::Lost(_) | EnvelopeError::Mismatch)));
}

#[tokio::test(flavor = "multi_thread")]
async fn share_moved_to_another_wallet_does_not_open() {
    let app = TestApp::start().await;
    let (mut wallets, db) = (Vec::new(), app.stack.aws().dynamodb());
    for user in ["first", "second"] {
        app.create_wallet(user).await;
        let found = app.stack.custody.store.find(&Tenant::local(), &user.parse().unwrap()).await;
        wallets.push(found.unwrap().unwrap().wallet);
    }
    let key = |wallet: &WalletRecord| {
        [("pk", format!("local#W#{}", wallet.wallet_id)), ("sk", "share".to_owned())]
            .map(|(name, value)| (name.to_owned(), AttributeValue::S(value)))
    };
    let table = hyperdex_local::WALLETS_TABLE;
    let read = db.get_item().table_name(table).set_key(Some(key(&wallets[0]).into())).send();
    let mut item = read.await.unwrap().item.unwrap();
    item.extend(key(&wallets[1]));
    db.put_item().table_name(table).set_item(Some(item)).send().await.unwrap();
    assert!(app.stack.custody.share(&wallets[0]).await.is_ok());
    assert!(app.stack.custody.share(&wallets[1]).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn second_wallet_of_a_user_is_a_conflict() {
    let app = TestApp::start().await;
    app.create_wallet("user_1").await;
    let store = &app.stack.custody.store;
    let found = store.find(&Tenant::local(), &"user_1".parse().unwrap()).await.unwrap().unwrap();
    let share: ShareRecord = store.share(&found.wallet).await.unwrap();
    let address: Address = "0x00000000000000000000000000000000000000aa".parse().unwrap();
    let second = WalletRecord {
        wallet_id: Uuid::from_bytes([3; 16]),
        address,
        user_id: UserId::for_creation("user_1").unwrap(),
        ..found.wallet
    };
    let counted = WalletCount::unlimited().room(0).unwrap();
    let created = store.create(&second, &share, counted).await;
    assert!(matches!(created, Ok(NewWallet::Exists)), "{created:?}");
    for name in [address.to_string(), second.wallet_id.to_string()] {
        assert_eq!(app.get(&format!("/api/wallets/{name}")).await.status, 404);
    }
}

/// Searches every file of the data directory for the shares and the agent key, in the encodings in
/// which a leak would appear.
#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_not_on_disk_in_plain_text() {
    let app = TestApp::start().await;
    app.create_wallet("user_1").await;
    app.register("aster", "user_1").await;
    let custody = &app.stack.custody;
    let name = "user_1".parse().unwrap();
    let view = custody.store.find(&Tenant::local(), &name).await.unwrap().unwrap();
    let share: KeyShare = custody.share(&view.wallet).await.unwrap();
    let credential = view.credential(Exchange::Aster).unwrap();
    let context = CredentialRecord::context(&view.wallet, Exchange::Aster, credential.agent);
    let agent = custody.envelope.open(&context, &credential.sealed).await.unwrap();
    let whole = share.to_bytes();

    let disk = disk(app.data.path());
    let has = |needle: &[u8]| disk.windows(needle.len()).any(|window| window == needle);
    assert!(has(b"user_1"), "the search must find a known text");
    // The secret number of the share, and parts of the serialized share.
    let secrets: Vec<Vec<u8>> = vec![
        share.party().poly_point.to_bytes().to_vec(),
        agent.to_vec(),
        whole[1_000..1_032].to_vec(),
        whole[40_000..40_032].to_vec(),
    ];
    for secret in secrets {
        assert!(secret.iter().any(|byte| *byte != 0));
        let hex = hex::encode(&secret);
        for needle in [secret.clone(), hex.clone().into_bytes(), hex.to_uppercase().into_bytes()] {
            assert!(!has(&needle), "a secret is on the disk in plain text");
        }
        // Base64 of the middle of the secret, at every alignment.
        for skip in 0..3 {
            use base64::Engine;
            let inside = &secret[skip..skip + 27];
            let text = base64::engine::general_purpose::STANDARD_NO_PAD.encode(inside);
            assert!(!has(text.as_bytes()), "a secret is on the disk in base64");
        }
    }
}

fn disk(directory: &std::path::Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let (kind, path) = entry.map(|entry| (entry.file_type().unwrap(), entry.path())).unwrap();
        // Sockets have no content.
        if kind.is_dir() {
            all.extend(disk(&path));
        } else if kind.is_file() {
            all.extend(std::fs::read(path).unwrap());
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn share_debug_output_is_redacted() {
    let app = TestApp::start().await;
    app.create_wallet("user_1").await;
    let custody = &app.stack.custody;
    let view = custody.store.find(&Tenant::local(), &"user_1".parse().unwrap()).await;
    let share = custody.share(&view.unwrap().unwrap().wallet).await.unwrap();
    let shown = format!("{share:?}");
    assert!(shown.len() < 100 && shown.starts_with("KeyShare(party 1 of 0x"), "{shown}");
    let bytes = share.to_bytes();
    assert!((50_000..60_000).contains(&bytes.len()), "{} bytes", bytes.len());
    assert!(KeyShare::from_bytes(&bytes, 1).is_ok());
    assert!(KeyShare::from_bytes(&bytes, 2).is_err(), "a share of the other party");
    assert!(KeyShare::from_bytes(&bytes[..bytes.len() - 1], 1).is_err(), "truncated");
    assert!(KeyShare::from_bytes(&[], 1).is_err());
    let mut unknown = bytes;
    unknown[0] = 9;
    assert!(KeyShare::from_bytes(&unknown, 1).is_err(), "an unknown format");
}
