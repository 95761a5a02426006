//! The commands that reach a stack. The cosigner's halves pass through them encrypted. On a
//! deployment, party 1's code runs in this process, so it sees the endpoint side's halves.

use std::path::Path;

use domain::time::rfc3339_seconds;
use futures_util::stream::{self, StreamExt};
use hyperdex_console::operator::session::{DeploymentArgs, operator_aws};
use hyperdex_recovery::export::{Export, Released};
use hyperdex_recovery::file::{self, Header, Kind, Writer};
use hyperdex_recovery::new_file::NewFile;
use hyperdex_recovery::transport;
use indicatif::ProgressBar;
use platform::recovery::{RecoveryTable, key};
use protocol::recovery::{RecoveryKeys, RecoveryRecord, Side};
use protocol::{
    Imported, MAX_HALVES, RecoveryAnswer, RecoveryCall, Transport, TransportedHalf, WalletKey,
};
use shared::aws::LambdaClient;
use shared::mpc::CosignerClient;
use shared::store::StoreConfig;
use shared::wallets::{Custody, CustodyConfig, RefreshBy};
use url::Url;

use super::RecoveryCommandError;
use super::arguments::{ExportArgs, PlaceArgs, SideArg};
use crate::admin::{AdminReply, AdminRequest};
use crate::commands::arguments::{Output, Place};
use crate::commands::reach::Reach;
use crate::data::existing;
use crate::recoverer::{PageKey, Recoverer, RecoveryReply, RecoveryRequest};

/// The alias of the cosigner's function that operators invoke.
const OPERATOR: &str = "operator";

/// Calls of an import that run at the same time.
const CALLS: usize = 8;

/// The way to a side.
enum Service {
    /// A local stack.
    Local(Reach),
    /// A deployment, with the operator's credentials.
    Deployment(Box<Recoverer>),
}

impl Service {
    async fn find((args, place): (&PlaceArgs, &Place<'_>)) -> Result<Self, RecoveryCommandError> {
        let Some(table) = &args.recovery_table else {
            existing(place.data_dir)?;
            return Ok(Self::Local(Reach::find(&DeploymentArgs::default(), place).await?));
        };
        let (profile, region) = (args.profile.as_deref(), args.region.as_deref());
        let endpoint = args.endpoint_url.as_ref().map(Url::as_str);
        let aws = operator_aws(profile, region, endpoint, place.clock.clone()).await;
        let aws = aws.map_err(|error| RecoveryCommandError::Aws(error.to_string()))?;
        let records = RecoveryTable::new(aws.dynamodb(), table);
        let caller = format!("operator:{}", place.user);
        let cosigner = args.cosigner.as_ref().map(|function| {
            let function = format!("{function}:{OPERATOR}");
            let client = CosignerClient::new(LambdaClient::new(&aws), function, caller.clone());
            (client, records.clone())
        });
        let parts = args.wallets_table.as_ref().zip(args.kms_key.as_ref());
        let endpoint = parts.map(|(wallets, kms_key)| {
            let config = CustodyConfig {
                kms_key_id: kms_key.clone(),
                // An import invokes no function.
                cosigner_function: String::new(),
                caller: caller.clone(),
                refresh: RefreshBy::Function(String::new()),
            };
            let store = StoreConfig { table: wallets.clone() };
            let (clock, random) = (place.clock.clone(), place.random.clone());
            let custody = Custody::new(&aws, &store, &config, clock, random);
            // For the marks of exported wallets. An import makes no records.
            let custody = custody.with_recovery(RecoveryKeys::default(), table, "");
            (Box::new(custody), records.clone())
        });
        let recoverer = Recoverer { endpoint, cosigner, random: place.random.clone() };
        Ok(Self::Deployment(Box::new(recoverer)))
    }

    async fn ask(
        &self,
        side: Side,
        request: RecoveryRequest,
    ) -> Result<RecoveryReply, RecoveryCommandError> {
        match self {
            Self::Deployment(recoverer) => Ok(recoverer.run(side, request).await?),
            Self::Local(reach) => {
                let request = AdminRequest::Recovery { side, request: Box::new(request) };
                match reach.ask(request).await? {
                    AdminReply::Recovery(reply) => Ok(*reply),
                    _ => Err(RecoveryCommandError::Reply),
                }
            }
        }
    }

    async fn call(
        &self,
        side: Side,
        call: RecoveryCall,
    ) -> Result<RecoveryAnswer, RecoveryCommandError> {
        match self.ask(side, RecoveryRequest::Call(call)).await? {
            RecoveryReply::Answer(RecoveryAnswer::UnknownTransport) => {
                Err(RecoveryCommandError::UnknownTransport)
            }
            RecoveryReply::Answer(answer) => Ok(answer),
            RecoveryReply::Page { .. } | RecoveryReply::Reported(_) => {
                Err(RecoveryCommandError::Reply)
            }
        }
    }

    async fn close(self) {
        if let Self::Local(reach) = self {
            reach.close().await;
        }
    }
}

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
    let header = Header::new(Kind::Records, side, now_ms);
    let (mut writer, last) = Writer::open::<RecoveryRecord>(out, &header)?;
    if writer.entries() > 0 {
        let entries = writer.entries();
        output.note(&format!("Continuing after {entries} records of an earlier run."));
        output.note("That run printed the damaged items up to there.");
    }
    let mut damaged_items = 0;
    let mut after = last.as_ref().map(page_key);
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

/// Returns the key of a record's item, after which the next page begins.
fn page_key(record: &RecoveryRecord) -> PageKey {
    let item = key(&record.tenant, record.wallet_id, record.key_version);
    let text = |name: &str| item.get(name).and_then(|it| it.as_s().ok()).cloned();
    (text("pk").unwrap_or_default(), text("sk").unwrap_or_default())
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
    output.note("Read the fingerprint above to the holder of the recovery key.");
    output.note("A second operator reads it too, from `recovery show-transport`.");
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
        RecoveryReply::Reported(true) => {
            output.say(&format!("Stored the verification of the {side} side of {at}."));
            Ok(true)
        }
        RecoveryReply::Reported(false) => {
            output.say("A newer verification is stored, and stays.");
            Ok(true)
        }
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
            output.note("Read the fingerprint above to the holder of the recovery key yourself.");
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
    let (header, halves) = file::read::<TransportedHalf>(halves, Kind::Halves, side)?;
    if header.transport != Some(transport.public_key.fingerprint()) {
        return Err(RecoveryCommandError::OtherTransport);
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
    output.note("The refresh job or a wallet's first signature completes them.");
    Ok(refused == 0)
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
