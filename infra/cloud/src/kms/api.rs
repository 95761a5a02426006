//! Operations of KMS on symmetric keys, as AWS documents them. Each change is stored in the file
//! before the response.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::clock::Clock;
use domain::random::Random;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::error::KmsError;
use super::file::{Keys, Read};
use super::keyring::{Context, Key, Material, RotationType, Schedule, key_of};
use super::shown::{arn, described, rotation_status, rotations};
use super::{ACCOUNT, REGION};
use crate::error::CloudError;
use crate::files::{broken, write};

/// Maximum number of on-demand rotations of a key, as in AWS.
const MAX_ON_DEMAND: usize = 25;
/// Default period of automatic rotation, in days.
const YEAR_DAYS: u64 = 365;
/// Permitted values of `RotationPeriodInDays`.
const PERIOD_DAYS: std::ops::RangeInclusive<u64> = 90..=2_560;
/// Maximum plaintext of `Encrypt`, in bytes.
const MAX_PLAINTEXT: usize = 4_096;

/// The local KMS, with its keys in a file.
pub struct Kms {
    file: PathBuf,
    keys: Mutex<Keys>,
    clock: Clock,
    random: Random,
}

type Answered = Result<Value, KmsError>;

impl Kms {
    /// Opens the keys of an earlier run, if any. Also returns whether a version without rotation
    /// wrote them. Changes nothing.
    ///
    /// # Errors
    /// Returns an error when the file cannot be read.
    pub fn open(file: PathBuf, clock: &Clock, random: &Random) -> Result<(Self, bool), CloudError> {
        let broken = |cause: String| CloudError::Data { path: file.clone(), cause };
        let read = match std::fs::read(&file).map(Zeroizing::new) {
            Ok(bytes) => Keys::read(&bytes).ok_or_else(|| {
                broken(
                    "it is not a file of KMS keys: put the file back, or restore a backup with \
                     `hyperdex restore FILE`"
                        .to_owned(),
                )
            })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Read::Current(Keys::default())
            }
            Err(error) => return Err(broken(error.to_string())),
        };
        let (keys, earlier) = match read {
            Read::Current(keys) => (keys, false),
            Read::Earlier(keys) => (keys, true),
        };
        let (clock, random) = (clock.clone(), random.clone());
        Ok((Self { file, keys: Mutex::new(keys), clock, random }, earlier))
    }

    /// Writes the keys to the file, atomically and readable by its owner only.
    ///
    /// # Errors
    /// Returns an error when the write fails.
    pub fn save(&self) -> Result<(), CloudError> {
        self.write(&self.keys())
    }

    fn write(&self, keys: &Keys) -> Result<(), CloudError> {
        let bytes = keys.bytes().map_err(|error| broken(&self.file, &error))?;
        write(&self.file, &bytes)
    }

    fn keys(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the keys in the file and then in memory, or in neither.
    fn change<T>(
        &self,
        change: impl FnOnce(&mut Keys) -> Result<T, KmsError>,
    ) -> Result<T, KmsError> {
        let mut keys = self.keys();
        let mut changed = keys.clone();
        let result = change(&mut changed)?;
        if let Err(error) = self.write(&changed) {
            tracing::error!(%error, "cannot write the KMS keys");
            return Err(KmsError::Internal);
        }
        *keys = changed;
        Ok(result)
    }

    /// Handles one call.
    pub(super) fn call(&self, target: &str, body: &Value) -> Answered {
        match target {
            "CreateKey" => self.create_key(body),
            "CreateAlias" => self.create_alias(body),
            "DescribeKey" => self.find(body).and_then(|key| described(&key)),
            "ListKeys" => Ok(self.list_keys()),
            "ListAliases" => Ok(self.list_aliases(body)),
            "Encrypt" => self.encrypt(body),
            "Decrypt" => self.decrypt(body),
            "GenerateDataKey" => self.generate_data_key(body),
            "EnableKeyRotation" => self.enable_rotation(body),
            "DisableKeyRotation" => self.with_key(body, |key, _| {
                key.schedule = None;
                Ok(json!({}))
            }),
            "GetKeyRotationStatus" => self.sealing_key(body).map(|key| rotation_status(&key)),
            "RotateKeyOnDemand" => self.rotate(body),
            "ListKeyRotations" => self.sealing_key(body).and_then(|key| rotations(&key, body)),
            other => Err(KmsError::Unsupported(other.to_owned())),
        }
    }

    fn create_key(&self, body: &Value) -> Answered {
        let is = |name: &str, only: &str| body[name].as_str().is_none_or(|given| given == only);
        if !is("KeySpec", "SYMMETRIC_DEFAULT") || !is("Origin", "AWS_KMS") {
            return Err(KmsError::Unsupported("keys of this kind".to_owned()));
        }
        let now_ms = self.clock.now_ms();
        let id = self.random.uuid().map_err(|_| KmsError::Internal)?.to_string();
        let key = Key {
            id: id.clone(),
            description: body["Description"].as_str().unwrap_or_default().to_owned(),
            created_at_ms: now_ms,
            schedule: None,
            materials: vec![Material::draw(&self.random, now_ms, None)?],
            opens_unversioned: false,
        };
        let answer = described(&key)?;
        self.change(|keys| {
            keys.keys.insert(id, key);
            Ok(answer)
        })
    }

    fn create_alias(&self, body: &Value) -> Answered {
        let name = text(body, "AliasName")?;
        if !name.starts_with("alias/") || name.len() == "alias/".len() {
            return Err(KmsError::Validation("AliasName: expected a name that begins with alias/"));
        }
        let target = self.find_named(text(body, "TargetKeyId")?)?.id;
        self.change(|keys| {
            if keys.aliases.contains_key(name) {
                return Err(KmsError::AlreadyExists(name.to_owned()));
            }
            keys.aliases.insert(name.to_owned(), target);
            Ok(json!({}))
        })
    }

    fn list_keys(&self) -> Value {
        let keys = self.keys();
        let list = keys.keys.keys().map(|id| json!({ "KeyId": id, "KeyArn": arn(id) }));
        json!({ "Keys": list.collect::<Vec<_>>(), "Truncated": false })
    }

    fn list_aliases(&self, body: &Value) -> Value {
        let keys = self.keys();
        let wanted = body["KeyId"].as_str();
        let list = keys.aliases.iter().filter(|(_, id)| wanted.is_none_or(|it| it == *id));
        let list = list.map(|(name, id)| {
            let arn = format!("arn:aws:kms:{REGION}:{ACCOUNT}:{name}");
            json!({ "AliasName": name, "AliasArn": arn, "TargetKeyId": id })
        });
        json!({ "Aliases": list.collect::<Vec<_>>(), "Truncated": false })
    }

    /// Returns the key that a call names, without rotating it.
    fn find(&self, body: &Value) -> Result<Key, KmsError> {
        self.find_named(text(body, "KeyId")?)
    }

    fn find_named(&self, name: &str) -> Result<Key, KmsError> {
        let keys = self.keys();
        let id = resolve(&keys, name);
        id.and_then(|id| keys.keys.get(id).cloned())
            .ok_or_else(|| KmsError::NotFound(name.to_owned()))
    }

    /// Returns the key that a call names. Rotates the key first if its schedule requires it.
    fn sealing_key(&self, body: &Value) -> Result<Key, KmsError> {
        let now_ms = self.clock.now_ms();
        let key = self.find(body)?;
        if !key.is_due(now_ms) {
            return Ok(key);
        }
        self.with_key(body, |key, random| {
            // Another call may have rotated the key already.
            if key.is_due(now_ms) {
                let drawn = Material::draw(random, now_ms, Some(RotationType::Automatic))?;
                key.materials.push(drawn);
                key.schedule_next(now_ms);
            }
            Ok(key.clone())
        })
    }

    fn with_key<T>(
        &self,
        body: &Value,
        change: impl FnOnce(&mut Key, &Random) -> Result<T, KmsError>,
    ) -> Result<T, KmsError> {
        let name = text(body, "KeyId")?;
        self.change(|keys| {
            let missing = || KmsError::NotFound(name.to_owned());
            let id = resolve(keys, name).ok_or_else(missing)?.to_owned();
            change(keys.keys.get_mut(&id).ok_or_else(missing)?, &self.random)
        })
    }

    fn encrypt(&self, body: &Value) -> Answered {
        let plaintext = Zeroizing::new(blob(body, "Plaintext")?);
        if !(1..=MAX_PLAINTEXT).contains(&plaintext.len()) {
            return Err(KmsError::Validation("Plaintext: expected 1 to 4096 bytes"));
        }
        let key = self.sealing_key(body)?;
        let sealed = key.seal(&context(body)?, &plaintext, &self.random)?;
        Ok(json!({
            "KeyId": arn(&key.id),
            "CiphertextBlob": STANDARD.encode(sealed),
            "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        }))
    }

    fn decrypt(&self, body: &Value) -> Answered {
        let sealed = blob(body, "CiphertextBlob")?;
        let named = key_of(&sealed).ok_or(KmsError::InvalidCiphertext)?;
        if let Some(expected) = body["KeyId"].as_str()
            && self.find_named(expected)?.id != named
        {
            return Err(KmsError::IncorrectKey);
        }
        let key = self.keys().keys.get(&named).cloned().ok_or(KmsError::InvalidCiphertext)?;
        let (material, plaintext) = key.open(&context(body)?, &sealed)?;
        Ok(json!({
            "KeyId": arn(&key.id),
            "KeyMaterialId": hex::encode(material),
            "Plaintext": STANDARD.encode(&*plaintext),
            "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        }))
    }

    fn generate_data_key(&self, body: &Value) -> Answered {
        let bytes = match (body["KeySpec"].as_str(), body["NumberOfBytes"].as_u64()) {
            (Some("AES_256"), None) => 32,
            (Some("AES_128"), None) => 16,
            (None, Some(bytes @ 1..=1_024)) => usize::try_from(bytes).unwrap_or(32),
            _ => return Err(KmsError::Validation("expected KeySpec or NumberOfBytes")),
        };
        let key = self.sealing_key(body)?;
        let mut drawn = Zeroizing::new(vec![0; bytes]);
        self.random.fill(&mut drawn).map_err(|_| KmsError::Internal)?;
        let sealed = key.seal(&context(body)?, &drawn, &self.random)?;
        Ok(json!({
            "KeyId": arn(&key.id),
            "KeyMaterialId": hex::encode(key.current()?.id(&key.id)),
            "Plaintext": STANDARD.encode(&*drawn),
            "CiphertextBlob": STANDARD.encode(sealed),
        }))
    }

    fn enable_rotation(&self, body: &Value) -> Answered {
        let period_days = match &body["RotationPeriodInDays"] {
            Value::Null => YEAR_DAYS,
            given => given
                .as_u64()
                .filter(|days| PERIOD_DAYS.contains(days))
                .ok_or(KmsError::Validation("RotationPeriodInDays: expected 90 to 2560"))?,
        };
        let now_ms = self.clock.now_ms();
        self.with_key(body, |key, _| {
            if key.schedule.is_none_or(|schedule| schedule.period_days != period_days) {
                key.schedule = Some(Schedule::from(period_days, now_ms));
            }
            Ok(json!({}))
        })
    }

    fn rotate(&self, body: &Value) -> Answered {
        let now_ms = self.clock.now_ms();
        self.with_key(body, |key, random| {
            let on_demand = Some(RotationType::OnDemand);
            let made = key.materials.iter().filter(|it| it.rotation == on_demand).count();
            if made >= MAX_ON_DEMAND {
                return Err(KmsError::LimitExceeded(MAX_ON_DEMAND));
            }
            key.materials.push(Material::draw(random, now_ms, on_demand)?);
            Ok(json!({ "KeyId": key.id }))
        })
    }
}

impl std::fmt::Debug for Kms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Kms({})", self.file.display())
    }
}

/// Returns the key id for a name: an id, an alias, or the ARN of either.
fn resolve<'a>(keys: &'a Keys, name: &str) -> Option<&'a str> {
    let own = format!("arn:aws:kms:{REGION}:{ACCOUNT}:");
    let name = name.strip_prefix(&own).unwrap_or(name);
    let name = name.strip_prefix("key/").unwrap_or(name);
    match keys.aliases.get(name) {
        Some(id) => Some(id),
        None => keys.keys.get_key_value(name).map(|(id, _)| id.as_str()),
    }
}

fn text<'a>(body: &'a Value, name: &'static str) -> Result<&'a str, KmsError> {
    body[name].as_str().ok_or(KmsError::Validation("a required parameter is missing"))
}

fn blob(body: &Value, name: &'static str) -> Result<Vec<u8>, KmsError> {
    STANDARD.decode(text(body, name)?).map_err(|_| KmsError::Validation("expected base64"))
}

fn context(body: &Value) -> Result<Context, KmsError> {
    match &body["EncryptionContext"] {
        Value::Null => Ok(Context::new()),
        given => serde_json::from_value(given.clone())
            .map_err(|_| KmsError::Validation("EncryptionContext: expected string values")),
    }
}
