//! `hyperdex doctor`: verifies a data directory as a start does, and prints the results.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use domain::clock::Clock;
use domain::random::Random;
use hyperdex_cloud::kms::{self, Kms};

use super::{AUDIT_KEY_FILE, Directory, Found, KMS_KEYS, existing, lock, write_trouble};
use crate::error::StartError;
use crate::keys::KeyFile;

/// Prints one line for each check, and returns whether the stack would start.
///
/// # Errors
/// Returns an error when the data directory does not exist.
pub fn run(data_dir: &Path, clock: &Clock, say: impl Fn(&str)) -> Result<bool, StartError> {
    existing(data_dir)?;
    let mut sound = true;
    let mut check = |what: &str, found: Result<String, String>| {
        sound &= found.is_ok();
        match found {
            Ok(found) => say(&format!("ok       {what}: {found}")),
            Err(fault) => say(&format!("PROBLEM  {what}: {fault}")),
        }
    };
    let running = matches!(lock(data_dir), Err(StartError::InUse(_)));
    let used = if running { "in use by a running stack" } else { "not in use" };
    check("directory", Ok(format!("{}, {used}", data_dir.display())));
    check("permissions", permissions(data_dir));
    let looked = Directory::look(data_dir, &Random::system(), clock);
    let external = looked.as_ref().is_ok_and(Directory::is_external);
    // Which files are required depends on the directory: see below.
    let disk = write_trouble(data_dir);
    check("disk", disk.map_or_else(|| Ok("writable".to_owned()), Err));
    match looked {
        Ok(directory) if external => {
            check("files", Ok(described(&directory.found)));
            let elsewhere = "in external engines; a start with --dynamodb-url verifies them";
            check("tables and KMS keys", Ok(elsewhere.to_owned()));
        }
        Ok(directory) => {
            check("files", Ok(described(&directory.found)));
            check("KMS keys", keys(&directory, data_dir, clock));
            check("audit key", audit_key(&directory, data_dir));
        }
        Err(error) => check("files", Err(error.to_string())),
    }
    let keys = KeyFile::new(data_dir).list();
    check(
        "tenant keys",
        keys.map_err(|error| error.to_string()).map(|keys| match keys.len() {
            0 => "none: every caller is the tenant local".to_owned(),
            some => some.to_string(),
        }),
    );
    Ok(sound)
}

fn described(found: &Found) -> String {
    match found {
        Found::Known(identity) => format!("complete, of the directory {}", identity.id),
        Found::Earlier(_) => {
            "complete, written by an earlier version: the next start adds an identity".to_owned()
        }
        Found::New(_) => "the first start is incomplete: there are no wallets".to_owned(),
    }
}

fn permissions(data_dir: &Path) -> Result<String, String> {
    let mode = std::fs::metadata(data_dir).map_err(|error| error.to_string())?.permissions().mode();
    if mode & 0o077 == 0 {
        Ok("accessible to the owner only".to_owned())
    } else {
        Err(format!("others can read the directory: run `chmod 700 {}`", data_dir.display()))
    }
}

fn keys(directory: &Directory, data_dir: &Path, clock: &Clock) -> Result<String, String> {
    let file = data_dir.join(KMS_KEYS);
    if directory.may_make_keys() && !file.exists() {
        return Ok("not created yet".to_owned());
    }
    let opened = Kms::open(file, clock, &Random::system());
    let (service, _) = opened.map_err(|error| error.to_string())?;
    directory.check_keys(&service).map_err(|error| error.to_string())?;
    Ok("they decrypt the directory's data".to_owned())
}

fn audit_key(directory: &Directory, data_dir: &Path) -> Result<String, String> {
    let file = data_dir.join(AUDIT_KEY_FILE);
    if !file.exists() {
        return Ok("not created yet".to_owned());
    }
    let signer = kms::open_signer(&file).map_err(|error| error.to_string())?;
    directory.check_audit_key(&kms::public_half(&signer)).map_err(|error| error.to_string())?;
    Ok("it belongs to the directory".to_owned())
}
