//! A local stack with recovery keys, and what a drill does to it.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use cosigner::audit::verify::Verifier;
use domain::eth::{Signature, personal_digest};
use domain::ids::{Tenant, UserId, WalletRef};
use domain::intent::{Intent, PersonalMessage};
use hyperdex_local::admin::{AdminReply, AdminRequest};
use hyperdex_local::recoverer::{RecoveryReply, RecoveryRequest};
use hyperdex_local::{
    COSIGNER_TABLE, CosignerHost, Options, RecoveryOptions, Stack, WALLETS_TABLE,
};
use hyperdex_recovery::file::{self, Kind};
use hyperdex_recovery::key::PrivateKey;
use hyperdex_recovery::transport;
use platform::items::Item;
use protocol::recovery::{OpeningKey, RecoveryRecord, Side};
use protocol::{
    Imported, KeyShare, MAX_HALVES, RecoveryAnswer, RecoveryCall, Transport, TransportedHalf,
};
use shared::mpc::{self, CosignerError, ProtocolError};
use shared::store::WalletRecord;
use shared::wallets::{Created, SignError};
use tempfile::TempDir;

pub(crate) const MESSAGE: &str = "still the same wallet";

/// A new recovery key of each side.
pub(crate) fn new_keys() -> [PrivateKey; 2] {
    [Side::Endpoint, Side::Cosigner]
        .map(|side| PrivateKey { side, key: OpeningKey::generate().unwrap() })
}

/// A local stack in this process, and its data directory.
pub(crate) struct Drill {
    pub(crate) stack: Stack,
    pub(crate) folder: TempDir,
    pub(crate) db: Client,
}

impl Drill {
    /// Starts a stack with the recovery keys of these sides.
    pub(crate) async fn start(keys: &[PrivateKey]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), keys).await
    }

    /// Starts a stack with other options.
    pub(crate) async fn start_with(keys: &[PrivateKey], change: fn(&mut Options)) -> Self {
        Self::start_at(tempfile::tempdir().unwrap(), keys, change).await
    }

    /// Starts a stack in a data directory.
    pub(crate) async fn start_in(folder: TempDir, keys: &[PrivateKey]) -> Self {
        Self::start_at(folder, keys, |_| {}).await
    }

    async fn start_at(folder: TempDir, keys: &[PrivateKey], change: fn(&mut Options)) -> Self {
        let mut options = Options::new(folder.path());
        options.cosigner = CosignerHost::InProcess;
        options.quiet = true;
        let public: Vec<_> = keys.iter().map(PrivateKey::public).collect();
        options.recovery = RecoveryOptions::of(&public).unwrap();
        change(&mut options);
        let stack = Stack::start(options).await.unwrap();
        let db = (*stack.aws().dynamodb()).clone();
        Self { stack, folder, db }
    }

    /// Stops the stack, and returns its data directory.
    pub(crate) async fn stop(self) -> TempDir {
        self.stack.stop().await;
        self.folder
    }

    pub(crate) async fn wallet(&self, user: &str) -> WalletRecord {
        let user = UserId::try_from(user.to_owned()).unwrap();
        match self.stack.custody.create(&Tenant::local().into(), &user).await.unwrap() {
            Created::New(wallet) | Created::Existing(wallet) => wallet,
        }
    }

    /// Signs a message by the wallet's user, and checks the address.
    pub(crate) async fn signs(&self, wallet: &WalletRecord) -> Result<Signature, SignError> {
        let message = PersonalMessage::parse(MESSAGE).unwrap();
        let name = WalletRef::User(wallet.user_id.clone());
        let (found, signature) =
            self.stack.custody.sign_message(&wallet.tenant, &name, &message).await?;
        assert_eq!((found.address, found.wallet_id), (wallet.address, wallet.wallet_id));
        let signer = signature.recover(&personal_digest(MESSAGE)).unwrap();
        assert_eq!(signer, wallet.address);
        Ok(signature)
    }

    /// Signs with a share of party 1 that may be old.
    pub(crate) async fn signs_with(&self, wallet: &WalletRecord, share: &KeyShare) -> String {
        let (cosigner, random) = (&self.stack.custody.cosigner, &self.stack.custody.random);
        let intent = Intent::PersonalMessage(PersonalMessage::parse(MESSAGE).unwrap());
        let passed = Box::pin(std::future::ready(()));
        let signed = mpc::sign(cosigner, random, &wallet.key(), share, &intent, passed).await;
        match signed {
            Ok(_) => "signed".to_owned(),
            Err(ProtocolError::Cosigner(CosignerError::Refused(refusal))) => {
                refusal.reason().to_owned()
            }
            Err(error) => error.to_string(),
        }
    }

    async fn ask(&self, side: Side, request: RecoveryRequest) -> RecoveryReply {
        let request = AdminRequest::Recovery { side, request: Box::new(request) };
        match self.stack.admin.run(request).await.unwrap() {
            AdminReply::Recovery(reply) => *reply,
            other => panic!("{other:?}"),
        }
    }

    /// Returns all records of a side.
    pub(crate) async fn records(&self, side: Side) -> Vec<RecoveryRecord> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            match self.ask(side, RecoveryRequest::Page { after }).await {
                RecoveryReply::Page { records, next, .. } => {
                    all.extend(records);
                    if next.is_none() {
                        return all;
                    }
                    after = next;
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// Returns the versions of a side's records.
    pub(crate) async fn versions(&self, side: Side) -> Vec<u32> {
        let mut versions: Vec<u32> =
            self.records(side).await.iter().map(|record| record.key_version).collect();
        versions.sort_unstable();
        versions
    }

    pub(crate) async fn begin(&self, side: Side) -> Transport {
        match self.ask(side, RecoveryRequest::Call(RecoveryCall::Begin)).await {
            RecoveryReply::Answer(RecoveryAnswer::Begun(transport)) => transport,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn import(
        &self,
        side: Side,
        transport: &Transport,
        halves: &[TransportedHalf],
    ) -> Vec<Imported> {
        let mut done = Vec::new();
        for part in halves.chunks(MAX_HALVES) {
            let call = RecoveryCall::Import { transport: transport.clone(), halves: part.to_vec() };
            match self.ask(side, RecoveryRequest::Call(call)).await {
                RecoveryReply::Answer(RecoveryAnswer::Imported(part)) => done.extend(part),
                other => panic!("{other:?}"),
            }
        }
        done
    }

    /// Does all steps of a recovery of one side: a transport key here, the holder's work in files,
    /// and the import here.
    pub(crate) async fn recover(
        &self,
        key: &PrivateKey,
        (own, other): (&[RecoveryRecord], &[RecoveryRecord]),
    ) -> Vec<Imported> {
        let transport = self.begin(key.side).await;
        let desk = tempfile::tempdir().unwrap();
        let (path, fingerprint) = (desk.path().join("halves"), transport.public_key.fingerprint());
        let now_ms = self.stack.custody.clock.now_ms();
        let to = (path.as_path(), now_ms);
        let confirmed = (&transport, fingerprint.as_str());
        transport::open(key, (own, other), confirmed, to, |_, _| {}).unwrap();
        let (_, halves) = file::read::<TransportedHalf>(&path, Kind::Halves, key.side).unwrap();
        self.import(key.side, &transport, &halves).await
    }

    pub(crate) async fn items(&self, table: &str) -> Vec<Item> {
        let scan = self.db.scan().table_name(table).consistent_read(true);
        scan.into_paginator().items().send().collect::<Result<_, _>>().await.unwrap()
    }

    pub(crate) async fn put(&self, table: &str, item: Item) {
        self.db.put_item().table_name(table).set_item(Some(item)).send().await.unwrap();
    }

    pub(crate) async fn delete(&self, table: &str, mut item: Item) {
        item.retain(|name, _| name == "pk" || name == "sk");
        self.db.delete_item().table_name(table).set_key(Some(item)).send().await.unwrap();
    }

    /// Deletes every item of a table.
    pub(crate) async fn lose_table(&self, table: &str) {
        for item in self.items(table).await {
            self.delete(table, item).await;
        }
        assert!(self.items(table).await.is_empty());
    }

    /// Makes the wrapped data keys of a side's shares unreadable, as the loss of its KMS key does.
    pub(crate) async fn lose_key(&self, side: Side) {
        let (table, prefix) = match side {
            Side::Endpoint => (WALLETS_TABLE, "share"),
            Side::Cosigner => (COSIGNER_TABLE, "share#"),
        };
        let mut lost = 0;
        for mut item in self.items(table).await {
            let sort = item["sk"].as_s().unwrap().clone();
            if !sort.starts_with(prefix) {
                continue;
            }
            let Some(AttributeValue::M(sealed)) = item.get_mut("sealed") else { continue };
            let mut wrapped = sealed["k"].as_b().unwrap().clone().into_inner();
            wrapped.reverse();
            sealed.insert("k".to_owned(), AttributeValue::B(Blob::new(wrapped)));
            self.put(table, item).await;
            lost += 1;
        }
        assert!(lost > 0, "no share was lost");
    }

    /// Verifies the cosigner's audit log, and returns the number of its records.
    pub(crate) async fn audited(&self) -> u64 {
        let mut verifier = Verifier::default();
        self.items(COSIGNER_TABLE).await.into_iter().for_each(|item| verifier.item(item));
        let report = verifier.finish();
        assert!(report.faults.is_empty(), "{:?}", report.faults);
        report.records
    }
}
