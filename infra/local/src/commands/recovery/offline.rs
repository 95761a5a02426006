//! The commands that run without a stack and without a network.

use std::collections::BTreeSet;
use std::path::Path;

use domain::eth::Address;
use domain::random::Random;
use hyperdex_recovery::error::RecoveryError;
use hyperdex_recovery::export::Export;
use hyperdex_recovery::file::{self, Kind};
use hyperdex_recovery::key;
use hyperdex_recovery::{check, transport, wallet};
use indicatif::ProgressBar;
use protocol::recovery::{RecoveryRecord, Side};

use super::arguments::{KeyArgs, passphrase};
use super::{RecoveryCommand, RecoveryCommandError};
use crate::commands::arguments::Output;

pub(super) fn keygen(
    side: Side,
    out: &Path,
    (passphrase_file, random): (&Path, &Random),
    output: &impl Output,
) -> Result<bool, RecoveryCommandError> {
    let public = key::generate(side, out, &passphrase(passphrase_file)?, random)?;
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
    output: &impl Output,
) -> Result<bool, RecoveryCommandError> {
    let key = args.open()?;
    let own = records(path, key.side)?;
    let other = other.map(|path| records(path, key.side.other())).transpose()?;
    let listed = wallets.map(addresses).transpose()?;
    let bar = ProgressBar::new(own.len() as u64);
    let report = check::verify(&key, &own, other.as_deref(), listed.as_ref(), |done| {
        bar.set_position(done);
    })?;
    bar.finish_and_clear();
    for fault in &report.faults {
        output.say(&fault.to_string());
    }
    let check::Report { records, wallets, good, faults } = report;
    output.say(&format!(
        "{good} of {records} records of {wallets} wallets open and fit; {} faults.",
        faults.len()
    ));
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
        })?;
    bar.finish_and_clear();
    for id in &opened.alone {
        output.say(&format!("{id}: no version has a record of both sides"));
    }
    output.say(&format!(
        "Wrote the halves of {} wallets to {}; {} wallets have no pair.",
        opened.halves,
        to.0.display(),
        opened.alone.len()
    ));
    Ok(opened.alone.is_empty())
}

pub(super) fn recipient_key(
    out: &Path,
    (passphrase_file, random): (&Path, &Random),
    output: &impl Output,
) -> Result<bool, RecoveryCommandError> {
    let public = key::generate_recipient(out, &passphrase(passphrase_file)?, random)?;
    output.say(&public.to_string());
    output.note(&format!("Wrote the recipient's private key to {}.", out.display()));
    Ok(true)
}

pub(super) fn open_export(
    export: &Path,
    (key, key_passphrase): (&Path, &Path),
    (out, protection): (&Path, &Path),
    random: &Random,
    output: &impl Output,
) -> Result<bool, RecoveryCommandError> {
    let export = Export::read(export)?;
    let key = key::open_recipient(key, &passphrase(key_passphrase)?)?;
    let address = export.open(&key, (out, &passphrase(protection)?), random)?;
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
        out,
        passphrase_file,
    } = command
    else {
        return Err(RecoveryCommandError::Reply);
    };
    let one = key::open(endpoint_key, &passphrase(endpoint_passphrase_file)?, Side::Endpoint)?;
    let two = key::open(cosigner_key, &passphrase(cosigner_passphrase_file)?, Side::Cosigner)?;
    let halves =
        (records(endpoint_records, Side::Endpoint)?, records(cosigner_records, Side::Cosigner)?);
    let protection = passphrase(passphrase_file)?;
    let address =
        wallet::combine((&one, &halves.0), (&two, &halves.1), wallet, (out, &protection), random)?;
    output.say(&format!("Wrote the keystore of {address} to {}.", out.display()));
    output.note("The wallet's key is now whole. Move its assets to a new wallet.");
    Ok(true)
}
