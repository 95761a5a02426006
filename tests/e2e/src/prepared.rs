//! Wallets that one run of the tests generates once.
//!
//! A key generation takes a second of processor time, which most tests would spend before they begin.
//! All stacks of a run therefore start from copies of one empty data directory, with the same KMS
//! keys. The first test that needs a user's wallet creates it by the API, and notes the items that
//! this wrote. The others write the same items to their own tables.

#![expect(clippy::expect_used, clippy::panic, reason = "a failing test panics")]

use std::collections::HashMap;
use std::fs::Permissions;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem, Update};
use hyperdex_local::{
    COSIGNER_RECOVERY_TABLE, COSIGNER_TABLE, Options, RECOVERY_TABLE, SEALS_TABLE, WALLETS_TABLE,
};
use platform::items::Item;
use shared::wallets::WALLETS_PER_TENANT;
use tokio::sync::OnceCell;

use crate::{Reply, TestApp};

const TABLES: [&str; 5] =
    [WALLETS_TABLE, COSIGNER_TABLE, SEALS_TABLE, RECOVERY_TABLE, COSIGNER_RECOVERY_TABLE];

/// The files of a data directory without wallets.
static EMPTY: OnceCell<Vec<Kept>> = OnceCell::const_new();

/// A file, with its path relative to the directory.
struct Kept {
    path: PathBuf,
    bytes: Vec<u8>,
    permissions: Permissions,
}

/// The wallets by their users.
static MADE: LazyLock<Mutex<HashMap<String, Arc<OnceCell<Made>>>>> = LazyLock::new(Mutex::default);

/// A wallet of the tenant `local`.
struct Made {
    /// What its creation responded.
    reply: Reply,
    items: Vec<(&'static str, Item)>,
}

/// Fills a new data directory as the first start of a stack does.
pub(crate) async fn fill(directory: &Path) {
    let files = EMPTY.get_or_init(|| async {
        let app = TestApp::start_empty(|_| {}).await;
        let TestApp { stack, data, .. } = app;
        stack.stop().await;
        let mut files = Vec::new();
        collect(data.path(), Path::new(""), &mut files);
        files
    });
    for Kept { path, bytes, permissions } in files.await {
        let path = directory.join(path);
        let parent = path.parent().expect("a file in the directory");
        std::fs::create_dir_all(parent).expect("a directory");
        std::fs::write(&path, bytes).expect("a file");
        std::fs::set_permissions(path, permissions.clone()).expect("its permissions");
    }
}

fn collect(root: &Path, below: &Path, files: &mut Vec<Kept>) {
    for entry in std::fs::read_dir(root.join(below)).expect("a directory") {
        let entry = entry.expect("an entry");
        let path = below.join(entry.file_name());
        let about = entry.metadata().expect("its metadata");
        if about.is_dir() {
            collect(root, &path, files);
        } else if about.is_file() {
            let bytes = std::fs::read(root.join(&path)).expect("a file");
            files.push(Kept { path, bytes, permissions: about.permissions() });
        }
    }
}

/// Returns whether a wallet of this stack has the items of any other stack: it writes no recovery
/// records, and its tenant has the usual quota.
pub(crate) fn fits(options: &Options) -> bool {
    options.engines.is_none()
        && options.recovery.endpoint.is_empty()
        && options.recovery.cosigner.is_empty()
        && options.wallets_per_tenant == WALLETS_PER_TENANT
}

/// Gives the stack a user's wallet. Returns what its creation responded; `None` if the user has one.
pub(crate) async fn wallet(app: &TestApp, user: &str) -> Option<Reply> {
    let made = MADE
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .entry(user.to_owned())
        .or_default()
        .clone();
    let made = made.get_or_init(|| Box::pin(create(user))).await;
    let mut write = app.stack.aws().dynamodb().transact_write_items();
    for (table, item) in &made.items {
        write = write.transact_items(copy(table, item));
    }
    match write.send().await {
        Ok(_) => {}
        Err(error)
            if error
                .as_service_error()
                .is_some_and(|error| error.is_transaction_canceled_exception()) =>
        {
            return None;
        }
        Err(error) => panic!("{error:?}"),
    }
    let Reply { status, body, headers } = &made.reply;
    Some(Reply { status: *status, body: body.clone(), headers: headers.clone() })
}

/// Creates a user's wallet in a stack of its own.
async fn create(user: &str) -> Made {
    let app = TestApp::start().await;
    let before = items(&app).await;
    let reply = app.create_wallet(user).await;
    let items: Vec<_> =
        items(&app).await.into_iter().filter(|item| !before.contains(item)).collect();
    let key =
        |(table, item): &(&'static str, Item)| (*table, item["pk"].clone(), item["sk"].clone());
    let changed = items.iter().find(|item| before.iter().any(|other| key(other) == key(item)));
    assert!(changed.is_none(), "a creation changed an item: {:?}", changed.map(key));
    app.stack.stop().await;
    Made { reply, items }
}

async fn items(app: &TestApp) -> Vec<(&'static str, Item)> {
    let mut all = Vec::new();
    for table in TABLES {
        all.extend(app.scan(table).await.into_iter().map(|item| (table, item)));
    }
    all
}

/// Returns the write of an item. The count of a tenant's wallets is added to.
fn copy(table: &str, item: &Item) -> TransactWriteItem {
    let text = |name: &str| item.get(name).and_then(|it| it.as_s().ok().cloned()).expect("a key");
    if !text("sk").starts_with("wallets#") {
        let put = Put::builder().table_name(table).set_item(Some(item.clone()));
        let put = put.condition_expression("attribute_not_exists(pk)").build();
        return TransactWriteItem::builder().put(put.expect("a write")).build();
    }
    let count = Update::builder()
        .table_name(table)
        .key("pk", AttributeValue::S(text("pk")))
        .key("sk", AttributeValue::S(text("sk")))
        .update_expression("SET #schema = :schema ADD wallets :one")
        .expression_attribute_names("#schema", "schema")
        .expression_attribute_values(":schema", item["schema"].clone())
        .expression_attribute_values(":one", AttributeValue::N("1".to_owned()));
    TransactWriteItem::builder().update(count.build().expect("a write")).build()
}
