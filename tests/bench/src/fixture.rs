//! A large number of wallets, written directly into the tables. Each one looks like a wallet that the service
//! created and registered, but its shares are a few bytes and cannot sign.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use dynoxide::types::AttributeValue;
use dynoxide::{Database, ImportOptions, Item};
use hyperdex_cloud::names::{COSIGNER_TABLE, WALLETS_TABLE};
use uuid::Uuid;

use crate::drive::{Job, drive};
use crate::error::{BenchError, failed};
use crate::world::World;

/// The number of items in one transaction.
const BATCH: u64 = 2_000;
/// The time of the next job, far in the future, in Unix milliseconds.
const FAR_MS: &str = "4000000000000";
/// One wallet in this many has a credential.
const CREDENTIALS: u64 = 10;

/// The items of one wallet that the service created, by table.
struct Model {
    tables: Vec<(&'static str, Vec<Item>)>,
    user: String,
    wallet_id: String,
    address: String,
}

/// Writes this many wallets and returns the duration.
pub(crate) async fn write(world: &World, wallets: u64) -> Result<Duration, BenchError> {
    let model = model(world).await?;
    let begun = Instant::now();
    let database = world.database.clone();
    let written = tokio::task::spawn_blocking(move || {
        database.enable_bulk_loading().map_err(failed)?;
        for first in (0..wallets).step_by(usize::try_from(BATCH).map_err(failed)?) {
            for (table, items) in &model.tables {
                let made = (first..wallets.min(first + BATCH))
                    .flat_map(|number| items.iter().map(move |item| (number, item)))
                    .filter_map(|(number, item)| model.copy(item, number))
                    .collect();
                let options = ImportOptions { record_streams: false, set_cached_at: false };
                database.import_items(table, made, options).map_err(failed)?;
            }
        }
        database.disable_bulk_loading().map_err(failed)
    });
    written.await.map_err(failed)??;
    Ok(begun.elapsed())
}

/// Creates a wallet with a credential through the service.
async fn model(world: &World) -> Result<Model, BenchError> {
    let user = "model".to_owned();
    drive(world, 1, vec![Job::create(&user), Job::register("aster", &user)]).await?;
    let mut tables = Vec::new();
    let (mut wallet_id, mut address) = (String::new(), String::new());
    for table in [WALLETS_TABLE, COSIGNER_TABLE] {
        let mut items = all(&world.database, table)?;
        // Items that do not belong to the wallet exist once.
        items.retain(|item| {
            text(item, "pk").is_some_and(|key| !key.starts_with('#') && !key.ends_with("#rates"))
        });
        for item in &mut items {
            if let (Some(id), Some(found)) = (text(item, "walletId"), text(item, "address")) {
                id.clone_into(&mut wallet_id);
                found.clone_into(&mut address);
            }
            if let Some(AttributeValue::M(sealed)) = item.get_mut("sealed") {
                sealed.insert("c".to_owned(), AttributeValue::B(vec![0; 48]));
            }
            for at in ["dueAtMs", "checkAtMs", "sharesAtMs"] {
                if item.contains_key(at) {
                    item.insert(at.to_owned(), AttributeValue::N(FAR_MS.to_owned()));
                }
            }
        }
        tables.push((table, items));
    }
    if wallet_id.is_empty() {
        return Err(failed("the template wallet was not found"));
    }
    Ok(Model { tables, user, wallet_id, address })
}

fn all(database: &Database, table: &str) -> Result<Vec<Item>, BenchError> {
    let request = serde_json::json!({ "TableName": table, "ConsistentRead": true });
    let request = serde_json::from_value(request).map_err(failed)?;
    Ok(database.scan(request).map_err(failed)?.items.unwrap_or_default())
}

fn text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    match item.get(name) {
        Some(AttributeValue::S(text)) => Some(text),
        _ => None,
    }
}

impl Model {
    /// Returns the item changed to another wallet, or `None` if that wallet has no item of this
    /// kind.
    fn copy(&self, item: &Item, number: u64) -> Option<Item> {
        let credential = text(item, "sk").is_some_and(|sort| sort.starts_with("credential#"));
        if credential && !number.is_multiple_of(CREDENTIALS) {
            return None;
        }
        // Mixes the number, so that the keys are spread like random ones.
        let mixed = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let id = Uuid::from_u64_pair(mixed, mixed.rotate_left(29) ^ number);
        let address = format!("{:024x}{mixed:016x}", number);
        let changes = BTreeMap::from([
            (self.user.as_str(), format!("fixture{number}")),
            (self.wallet_id.as_str(), id.to_string()),
            (self.address.as_str(), format!("0x{address}")),
        ]);
        let lower = self.address.to_lowercase();
        let shard = id.as_bytes()[15] % platform::items::SHARDS;
        let copied = item.iter().map(|(name, value)| {
            let value = match (name.as_str(), value) {
                ("shard", AttributeValue::S(_)) => AttributeValue::S(shard.to_string()),
                ("listShard", AttributeValue::S(old)) => {
                    let tenant = old.rsplit_once('#').map_or(old.as_str(), |(tenant, _)| tenant);
                    AttributeValue::S(format!("{tenant}#{shard}"))
                }
                (_, AttributeValue::S(old)) => {
                    let new =
                        changes.iter().fold(old.clone(), |text, (from, to)| text.replace(from, to));
                    AttributeValue::S(new.replace(&lower, &format!("0x{address}")))
                }
                (_, value) => value.clone(),
            };
            (name.clone(), value)
        });
        Some(copied.collect())
    }
}
