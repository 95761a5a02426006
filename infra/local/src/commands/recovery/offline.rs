//! The commands that run without a stack and without a network.

use std::collections::BTreeSet;
use std::path::Path;

use domain::eth::Address;
use domain::random::Random;
use domain::recovery::Verification;
use hyperdex_recovery::check::{self, Fault};
use hyperdex_recovery::error::RecoveryError;
use hyperdex_recovery::export::Export;
use hyperdex_recovery::file::{self, Kind};
use hyperdex_recovery::key;
use hyperdex_recovery::new_file::NewFile;
use hyperdex_recovery::{report, transport, wallet};
use indicatif::ProgressBar;
use protocol::recovery::{RecoveryRecord, Side};

use super::arguments::KeyArgs;
use super::passphrase::{Passphrase, one_from_stdin};
use super::{RecoveryCommand, RecoveryCommandError};
use crate::commands::arguments::Output;

/// The option of the commands that have one passphrase.
const PASSPHRASE_FILE: &str = "--passphrase-file";

pub(super) fn keygen(
    side: Side,
    out: &Path,
    (passphrase_file, random): (Option<&Path>, &Random),
    output: &impl Output,
) -> Result<bool, RecoveryCommandError> {
    let passphrase = Passphrase::new(passphrase_file, PASSPHRASE_FILE, out).read_new()?;
    let public = key::generate(side, out, &passphrase, random)?;
    output.say(&public.to_string());
    output.note(&format!("Wrote the private key of the {side} side to {}.", out.display()));
    output.note(&format!(
        "Key id: {}. Keep file and passphrase apart, and offline.",
        public.key.id()
    ));
    Ok(true)
}

fn records(path: &Path, side: Side) -> Result<Vec<RecoveryRecord>, RecoveryError> {
    Ok(file::read(path, Kind::Records, side)?.1)
}

pub(super) fn verify(
    args: &KeyArgs,
    path: &Path,
    (other, wallets): (Option<&Path>, Option<&Path>),
    (to, now_ms): (Option<&Path>, u64),
    output: &impl Output,
) -> Result<bool, RecoveryCommandError> {
    let to = to.map(NewFile::reserve).transpose()?;
    let key = args.open()?;
    let own = records(path, key.side)?;
    let other = other.map(|path| records(path, key.side.other())).transpose()?;
    let listed = wallets.map(addresses).transpose()?;
    let bar = ProgressBar::new(own.len() as u64);
    let found = check::verify(&key, &own, other.as_deref(), listed.as_ref(), |done| {
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let found = found?;
    for fault in &found.faults {
        output.say(&fault.to_string());
    }
    let check::Report { records, wallets, good, faults } = found;
    output.say(&format!(
        "{good} of {records} records of {wallets} wallets open and fit; {} faults.",
        faults.len()
    ));
    if other.is_none() {
        output.say("Skipped: the comparison with the other side (--other-records).");
    }
    if listed.is_none() {
        output.say("Skipped: the comparison with a list of the wallets (--wallets).");
    }
    if let Some(to) = to {
        let verification = Verification {
            verified_at_ms: now_ms,
            records,
            wallets,
            faults: faults.len() as u64,
            partial: other.is_none() || listed.is_none(),
            key_id: key.key.public().id(),
        };
        report::write(to, key.side, verification)?;
        output.note("Wrote the report. The operator stores it with `recovery report`.");
    }
    Ok(faults.is_empty())
}

fn addresses(path: &Path) -> Result<BTreeSet<Address>, RecoveryCommandError> {
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|source| RecoveryError::Io { path: path.to_owned(), source })?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let parsed = lines.map(|(at, line)| {
        let fault = || RecoveryCommandError::WalletList { path: path.to_owned(), line: at + 1 };
        line.trim().parse::<Address>().map_err(|_| fault())
    });
    parsed.collect()
}

pub(super) fn open(
    args: &KeyArgs,
    (own, other): (&Path, &Path),
    (path, fingerprint): (&Path, &str),
    to: (&Path, u64),
    output: &impl Output,
) -> Result<bool, RecoveryCommandError> {
    let key = args.open()?;
    let transport = transport::read(path, key.side, to.1)?;
    let (own, other) = (records(own, key.side)?, records(other, key.side.other())?);
    let bar = ProgressBar::new(0);
    let opened =
        transport::open(&key, (&own, &other), (&transport, fingerprint), to, |done, all| {
            bar.set_length(all);
            bar.set_position(done);
        });
    bar.finish_and_clear();
    let opened = opened?;
    for id in &opened.alone {
        output.say(&Fault::NoPair(*id).to_string());
    }
    for fault in &opened.faults {
        output.say(&fault.to_string());
    }
    output.say(&format!(
        "Wrote the halves of {} wallets to {}; {} wallets have no pair, {} do not open.",
        opened.halves,
        to.0.display(),
        opened.alone.len(),
        opened.faults.len()
    ));
    Ok(opened.is_complete())
}

pub(super) fn recipient_key(
    out: &Path,
    (passphrase_file, random): (Option<&Path>, &Random),
    output: &impl Output,
) -> Result<bool, RecoveryCommandError> {
    let passphrase = Passphrase::new(passphrase_file, PASSPHRASE_FILE, out).read_new()?;
    let public = key::generate_recipient(out, &passphrase, random)?;
    output.say(&public.to_string());
    output.note(&format!("Wrote the recipient's private key to {}.", out.display()));
    Ok(true)
}

pub(super) fn open_export(
    export: &Path,
    (key, key_passphrase): (&Path, Option<&Path>),
    (out, protection): (&Path, Option<&Path>),
    random: &Random,
    output: &impl Output,
) -> Result<bool, RecoveryCommandError> {
    let one = Passphrase::new(key_passphrase, PASSPHRASE_FILE, key);
    let two = Passphrase::new(protection, "--keystore-passphrase-file", out);
    one_from_stdin(&[one, two])?;
    let export = Export::read(export)?;
    let key = key::open_recipient(key, &one.read()?)?;
    let address = export.open(&key, (out, &two.read_new()?), random)?;
    output.say(&format!("Wrote the keystore of {address} to {}.", out.display()));
    Ok(true)
}

pub(super) fn combine(
    command: &RecoveryCommand,
    random: &Random,
    output: &impl Output,
) -> Result<bool, RecoveryCommandError> {
    let RecoveryCommand::Combine {
        endpoint_key,
        endpoint_passphrase_file,
        endpoint_records,
        cosigner_key,
        cosigner_passphrase_file,
        cosigner_records,
        wallet,
        tenant,
        out,
        passphrase_file,
    } = command
    else {
        return Err(RecoveryCommandError::Reply);
    };
    let one = endpoint_passphrase_file.as_deref();
    let one = Passphrase::new(one, "--endpoint-passphrase-file", endpoint_key);
    let two = cosigner_passphrase_file.as_deref();
    let two = Passphrase::new(two, "--cosigner-passphrase-file", cosigner_key);
    let protection = Passphrase::new(passphrase_file.as_deref(), PASSPHRASE_FILE, out);
    one_from_stdin(&[one, two, protection])?;
    let one = key::open(endpoint_key, &one.read()?, Side::Endpoint)?;
    let two = key::open(cosigner_key, &two.read()?, Side::Cosigner)?;
    let halves =
        (records(endpoint_records, Side::Endpoint)?, records(cosigner_records, Side::Cosigner)?);
    let (protection, wallet) = (protection.read_new()?, (wallet, tenant.as_ref()));
    let address =
        wallet::combine((&one, &halves.0), (&two, &halves.1), wallet, (out, &protection), random)?;
    output.say(&format!("Wrote the keystore of {address} to {}.", out.display()));
    output.note("The wallet's key is now whole. Move its assets to a new wallet.");
    Ok(true)
}
