//! `kms.json`: every key with all of its materials. Files of versions without rotation can be read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use zeroize::Zeroizing;

use super::keyring::{Key, Material};

const SCHEMA: u32 = 2;

/// All keys by id, and the ids by alias.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys {
    pub(super) keys: BTreeMap<String, Key>,
    pub(super) aliases: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: u32,
    keys: Vec<Key>,
    aliases: BTreeMap<String, String>,
}

/// The first format: the snapshot of `winterbaume-kms` 0.2, with one material for each key.
#[derive(Deserialize)]
struct Snapshot {
    keys: BTreeMap<String, SnapshotKey>,
    aliases: BTreeMap<String, SnapshotAlias>,
}

#[derive(Deserialize)]
struct SnapshotKey {
    key_id: String,
    description: String,
    creation_date: String,
    key_material: Zeroizing<String>,
}

#[derive(Deserialize)]
struct SnapshotAlias {
    target_key_id: String,
}

/// Content of a file.
pub(super) enum Read {
    Current(Keys),
    /// Written by a version without rotation. The file must be rewritten before anything is sealed.
    Earlier(Keys),
}

impl Keys {
    /// Parses a file of any version. Returns `None` for a malformed file.
    pub(super) fn read(bytes: &[u8]) -> Option<Read> {
        #[derive(Deserialize)]
        struct Schema {
            schema: Option<u32>,
        }
        let Schema { schema } = serde_json::from_slice(bytes).ok()?;
        let (keys, aliases, earlier) = match schema {
            Some(SCHEMA) => {
                let file: File = serde_json::from_slice(bytes).ok()?;
                (file.keys, file.aliases, false)
            }
            None => {
                let snapshot: Snapshot = serde_json::from_slice(bytes).ok()?;
                let keys = snapshot.keys.into_values().map(SnapshotKey::key);
                let aliases = snapshot.aliases.into_iter();
                let aliases = aliases.map(|(name, alias)| (name, alias.target_key_id)).collect();
                (keys.collect::<Option<_>>()?, aliases, true)
            }
            Some(_) => return None,
        };
        let is_whole = |key: &Key| {
            let mut materials = key.materials.iter();
            !key.materials.is_empty() && key.id.len() == 36 && materials.all(Material::is_whole)
        };
        if !keys.iter().all(is_whole) {
            return None;
        }
        let keys: BTreeMap<_, _> = keys.into_iter().map(|key| (key.id.clone(), key)).collect();
        if aliases.values().any(|id| !keys.contains_key(id)) {
            return None;
        }
        let keys = Self { keys, aliases };
        Some(if earlier { Read::Earlier(keys) } else { Read::Current(keys) })
    }

    pub(super) fn bytes(&self) -> serde_json::Result<Zeroizing<Vec<u8>>> {
        let keys = self.keys.values().cloned().collect();
        let file = File { schema: SCHEMA, keys, aliases: self.aliases.clone() };
        serde_json::to_vec(&file).map(Zeroizing::new)
    }
}

impl SnapshotKey {
    fn key(self) -> Option<Key> {
        let created = OffsetDateTime::parse(&self.creation_date, &Rfc3339).ok()?;
        let created_at_ms = u64::try_from(created.unix_timestamp()).ok()? * 1_000;
        let mut bytes = Zeroizing::new([0; 32]);
        hex::decode_to_slice(self.key_material.as_bytes(), bytes.as_mut_slice()).ok()?;
        Some(Key {
            id: self.key_id,
            description: self.description,
            created_at_ms,
            schedule: None,
            materials: vec![Material::new(&bytes, created_at_ms, None)],
            opens_unversioned: true,
        })
    }
}
