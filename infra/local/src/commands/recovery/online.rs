//! The commands that reach a stack. The cosigner's halves pass through them encrypted. On a
//! deployment, party 1's code runs in this process, so it sees the endpoint side's halves.

use std::collections::BTreeMap;
use std::path::Path;

use domain::ids::Tenant;
use domain::time::rfc3339_seconds;
use futures_util::stream::{self, StreamExt};
use hyperdex_recovery::error::RecoveryError;
use hyperdex_recovery::export::{Export, Released};
use hyperdex_recovery::file::{self, Header, Kind, Writer};
use hyperdex_recovery::new_file::NewFile;
use hyperdex_recovery::transport;
use indicatif::ProgressBar;
use platform::recovery::Reported;
use protocol::recovery::{RecoveryRecord, Side};
use protocol::{
    Imported, MAX_HALVES, RecoveryAnswer, RecoveryCall, Transport, TransportedHalf, WalletKey,
};
use uuid::Uuid;

use super::RecoveryCommandError;
use super::arguments::{ExportArgs, PlaceArgs, SideArg};
use super::service::Service;
use crate::commands::arguments::{Output, Place};
use crate::recoverer::{PageKey, RecoveryReply, RecoveryRequest, place_of};

/// Calls of an import, or of a request for a refresh, that run at the same time.
const CALLS: usize = 8;

pub(super) async fn export(
    side: Side,
    out: &Path,
    to: (&PlaceArgs, &Place<'_>),
    output: &impl Output,
) -> Result<bool, RecoveryCommandError> {
    let now_ms = to.1.clock.now_ms();
    let service = Service::find(to).await?;
    let bar = ProgressBar::new_spinner();
    let written = write_records((&service, side), (out, now_ms), (&bar, output)).await;
    bar.finish_and_clear();
    service.close().await;
    let (written, damaged) = written?;
    output.say(&format!("Wrote {written} records of the {side} side to {}.", out.display()));
    if damaged > 0 {
        output.say(&format!("Left out {damaged} damaged items of the table: see above."));
    }
    output.note("The file outlives the deletion of old records: keep it like a backup.");
    Ok(damaged == 0)
}

/// Writes all records of a side to a file. Returns their number, and that of the damaged items.
async fn write_records(
    (service, side): (&Service, Side),
    (out, now_ms): (&Path, u64),
    (bar, output): (&ProgressBar, &impl Output),
) -> Result<(u64, u64), RecoveryCommandError> {
    let mut header = Header::new(Kind::Records, side, now_ms);
    header.source = Some(service.source.clone());
    let (mut writer, last) = Writer::open::<RecoveryRecord>(out, &header)?;
    if writer.entries() > 0 {
        let entries = writer.entries();
        output.note(&format!("Continuing after {entries} records of an earlier run."));
        output.note("That run printed the damaged items up to there.");
    }
    let mut damaged_items = 0;
    let mut after: Option<PageKey> = last.as_ref().map(|record| place_of(record).into());
    while !writer.is_complete() {
        let page = service.ask(side, RecoveryRequest::Page { after: after.take() }).await?;
        let RecoveryReply::Page { records, next, damaged } = page else {
            return Err(RecoveryCommandError::Reply);
        };
        for record in &records {
            writer.entry(record)?;
        }
        for item in &damaged {
            bar.suspend(|| output.say(item));
            damaged_items += 1;
        }
        bar.set_message(format!("{} records", writer.entries()));
        bar.tick();
        if next.is_none() {
            break;
        }
        after = next;
    }
    Ok((writer.finish()?, damaged_items))
}

/// Has each party encrypt its half to the recipient, the cosigner first, because it decides. With
/// two accounts, each side is a run of its own, and the cosigner's half goes between them in a
/// file.
pub(super) async fn export_wallet(
    args: &ExportArgs,
    place: &Place<'_>,
    output: &impl Output,
) -> Result<bool, RecoveryCommandError> {
    let key = WalletKey {
        tenant: args.tenant.clone(),
        wallet_id: args.wallet_id,
        key_version: args.share_version,
    };
    let call = |released| RecoveryCall::Export {
        key: key.clone(),
        change: args.change,
        recipient: args.recipient,
        released,
    };
    let released = match (args.side, &args.released) {
        (Some(SideArg::Endpoint), Some(path)) => Some(Box::new(Released::read(path)?)),
        (_, Some(_)) => return Err(RecoveryCommandError::Released),
        (_, None) => None,
    };
    let file = NewFile::reserve(&args.out)?;
    let service = Service::find((&args.place, place)).await?;
    let halves = async {
        let released = match released {
            Some(released) => released,
            None => exported(service.call(Side::Cosigner, call(None)).await?)?,
        };
        if args.side == Some(SideArg::Cosigner) {
            return Ok((None, released));
        }
        let own = service.call(Side::Endpoint, call(Some(released.clone()))).await?;
        Ok::<_, RecoveryCommandError>((Some(exported(own)?), released))
    };
    let halves = halves.await;
    service.close().await;
    let (endpoint, cosigner) = halves?;
    let out = args.out.display();
    let Some(endpoint) = endpoint else {
        Released::write_to(file, *cosigner)?;
        output.say(&format!("Wrote the cosigner's half to {out}."));
        output.note("The operator of the endpoint side continues with --side endpoint --released.");
        return Ok(true);
    };
    Export::write_to(file, *endpoint, *cosigner)?;
    output.say(&format!("Wrote both halves to {out}."));
    output.note("The wallet is marked as exported: its recipient can move its assets.");
    Ok(true)
}

fn exported(answer: RecoveryAnswer) -> Result<Box<RecoveryRecord>, RecoveryCommandError> {
    match answer {
        RecoveryAnswer::Exported(record) => Ok(record),
        RecoveryAnswer::NotAllowed(cause) => Err(RecoveryCommandError::NotAllowed(cause)),
        _ => Err(RecoveryCommandError::Reply),
    }
}

pub(super) async fn begin(
    side: Side,
    out: &Path,
    to: (&PlaceArgs, &Place<'_>),
    output: &impl Output,
) -> Result<bool, RecoveryCommandError> {
    let file = NewFile::reserve(out)?;
    let service = Service::find(to).await?;
    let begun = service.call(side, RecoveryCall::Begin).await;
    service.close().await;
    let RecoveryAnswer::Begun(begun) = begun? else {
        return Err(RecoveryCommandError::Reply);
    };
    transport::write_to(file, &begun)?;
    output.say(&transport::grouped(&begun.public_key.fingerprint()));
    output.note(&format!("Wrote the transport key of the {side} side to {}.", out.display()));
    output.note("Give the file to a second operator, who runs `recovery show-transport`.");
    output.note("The second operator reads the fingerprint to the holder of the recovery key.");
    output.note("The transport key is valid for 7 days.");
    Ok(true)
}

/// Stores the holder's report of a verification.
pub(super) async fn report(
    side: Side,
    report: &Path,
    to: (&PlaceArgs, &Place<'_>),
    output: &impl Output,
) -> Result<bool, RecoveryCommandError> {
    let verification = hyperdex_recovery::report::read(report, side)?;
    let at = rfc3339_seconds(verification.verified_at_ms);
    let service = Service::find(to).await?;
    let stored = service.ask(side, RecoveryRequest::Report(verification)).await;
    service.close().await;
    match stored? {
        RecoveryReply::Reported(Reported::Stored) => {
            output.say(&format!("Stored the verification of the {side} side of {at}."));
            Ok(true)
        }
        RecoveryReply::Reported(Reported::Older) => {
            output.say(&format!(
                "Stored nothing: a verification of the {side} side newer than {at} is stored."
            ));
            Ok(false)
        }
        RecoveryReply::Reported(Reported::Ahead) => Err(RecoveryCommandError::ReportAhead(at)),
        _ => Err(RecoveryCommandError::Reply),
    }
}

/// Has the stack open a transport key, and prints the key's fingerprint.
pub(super) async fn show_transport(
    side: Side,
    transport: &Path,
    to: (&PlaceArgs, &Place<'_>),
    output: &impl Output,
) -> Result<bool, RecoveryCommandError> {
    let transport = transport::read(transport, side, to.1.clock.now_ms())?;
    let fingerprint = transport.public_key.fingerprint();
    let service = Service::find(to).await?;
    let opened = service.call(side, RecoveryCall::Import { transport, halves: Vec::new() }).await;
    service.close().await;
    match opened? {
        RecoveryAnswer::Imported(none) if none.is_empty() => {
            output.say(&transport::grouped(&fingerprint));
            output.note(&format!("The {side} side of the stack opened this transport key."));
            output.note("Read the fingerprint above to the holder of the recovery key.");
            Ok(true)
        }
        _ => Err(RecoveryCommandError::Reply),
    }
}

pub(super) async fn import(
    side: Side,
    (transport, halves): (&Path, &Path),
    to: (&PlaceArgs, &Place<'_>),
    output: &impl Output,
) -> Result<bool, RecoveryCommandError> {
    let transport = transport::read(transport, side, to.1.clock.now_ms())?;
    let path = halves;
    let (header, halves) = file::read::<TransportedHalf>(path, Kind::Halves, side)?;
    if header.transport != Some(transport.public_key.fingerprint()) {
        return Err(RecoveryCommandError::OtherTransport);
    }
    if halves.is_empty() {
        return Err(RecoveryCommandError::NoHalves(path.to_owned()));
    }
    let service = Service::find(to).await?;
    let bar = ProgressBar::new(halves.len() as u64);
    let (mut restored, mut present, mut refused) = (0, 0, 0);
    let done = async {
        let parts = halves.chunks(MAX_HALVES).map(|part| restore(&service, &transport, part));
        let mut parts = stream::iter(parts).buffer_unordered(CALLS);
        while let Some(part) = parts.next().await {
            let (part, done) = part?;
            for (half, imported) in part.iter().zip(done) {
                match imported {
                    Imported::Restored => restored += 1,
                    Imported::Present => present += 1,
                    Imported::Refused(cause) => {
                        refused += 1;
                        let id = half.record.wallet_id;
                        bar.suspend(|| output.say(&format!("{id}: {cause}")));
                    }
                }
            }
            bar.inc(part.len() as u64);
        }
        Ok::<_, RecoveryCommandError>(())
    };
    let done = done.await;
    bar.finish_and_clear();
    service.close().await;
    done?;
    output.say(&format!(
        "Restored {restored} shares of the {side} side; {present} were there, {refused} refused."
    ));
    if restored > 0 {
        output.note(match side {
            Side::Endpoint => "The refresh job or a wallet's first signature completes them.",
            Side::Cosigner => {
                "Have the endpoint operator run `recovery request-refresh`, then the refresh job."
            }
        });
    }
    Ok(refused == 0)
}

/// Makes every wallet of a file of the endpoint side's records due for the refresh job at once.
pub(super) async fn request_refresh(
    records: &Path,
    to: (&PlaceArgs, &Place<'_>),
    output: &impl Output,
) -> Result<bool, RecoveryCommandError> {
    let (_, records) = file::read::<RecoveryRecord>(records, Kind::Records, Side::Endpoint)?;
    // A wallet has a record of each version.
    let wallets: BTreeMap<(String, Uuid), Tenant> = records
        .into_iter()
        .map(|record| ((record.tenant.to_string(), record.wallet_id), record.tenant))
        .collect();
    let wallets: Vec<(Tenant, Uuid)> =
        wallets.into_iter().map(|((_, wallet_id), tenant)| (tenant, wallet_id)).collect();
    if wallets.is_empty() {
        return Err(RecoveryError::NoRecords(Side::Endpoint).into());
    }
    let service = Service::find(to).await?;
    let bar = ProgressBar::new(wallets.len() as u64);
    let (mut noted, mut missing) = (0, 0);
    let done = async {
        let parts = wallets.chunks(MAX_HALVES).map(|part| service.request_refresh(part));
        let mut parts = stream::iter(parts).buffer_unordered(CALLS);
        while let Some(part) = parts.next().await {
            let (part, found) = part?;
            for ((tenant, wallet_id), is_found) in part.iter().zip(found) {
                if is_found {
                    noted += 1;
                } else {
                    missing += 1;
                    let line = format!("{wallet_id}: the tenant {tenant} has no such wallet");
                    bar.suspend(|| output.say(&line));
                }
            }
            bar.inc(part.len() as u64);
        }
        Ok::<_, RecoveryCommandError>(())
    };
    let done = done.await;
    bar.finish_and_clear();
    service.close().await;
    done?;
    output.say(&format!("Requested the refresh of {noted} wallets; {missing} were not found."));
    output.note("Run the refresh job until its summary has \"more\":false and \"failed\":0.");
    Ok(missing == 0)
}

/// Restores the shares of a part of the halves. Returns the part, and the result of each half.
async fn restore<'a>(
    service: &Service,
    transport: &Transport,
    part: &'a [TransportedHalf],
) -> Result<(&'a [TransportedHalf], Vec<Imported>), RecoveryCommandError> {
    let call = RecoveryCall::Import { transport: transport.clone(), halves: part.to_vec() };
    match service.call(transport.side, call).await? {
        RecoveryAnswer::Imported(done) if done.len() == part.len() => Ok((part, done)),
        _ => Err(RecoveryCommandError::Reply),
    }
}
