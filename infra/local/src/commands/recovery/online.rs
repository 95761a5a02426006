//! The commands that reach a stack. Halves pass through them encrypted.

use std::path::Path;

use hyperdex_console::operator::session::{DeploymentArgs, operator_aws};
use hyperdex_recovery::export::Export;
use hyperdex_recovery::file::{self, Header, Kind, Writer};
use hyperdex_recovery::transport;
use indicatif::ProgressBar;
use platform::recovery::{RecoveryTable, key};
use protocol::recovery::{RecoveryRecord, Side};
use protocol::{Imported, MAX_HALVES, RecoveryAnswer, RecoveryCall, TransportedHalf, WalletKey};
use shared::aws::LambdaClient;
use shared::mpc::CosignerClient;
use shared::store::StoreConfig;
use shared::wallets::{Custody, CustodyConfig, RefreshBy};
use url::Url;

use super::RecoveryCommandError;
use super::arguments::{ExportArgs, PlaceArgs};
use crate::admin::{AdminReply, AdminRequest};
use crate::commands::arguments::{Output, Place};
use crate::commands::reach::Reach;
use crate::data::existing;
use crate::recoverer::{Recoverer, RecoveryReply, RecoveryRequest};

/// The alias of the cosigner's function that operators invoke.
const OPERATOR: &str = "operator";

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
            RecoveryReply::Page { .. } => Err(RecoveryCommandError::Reply),
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
    let header = Header::new(Kind::Records, side, to.1.clock.now_ms());
    let (mut writer, last) = Writer::open::<RecoveryRecord>(out, &header)?;
    let mut after = last.map(|record| {
        let item = key(&record.tenant, record.wallet_id, record.key_version);
        let text = |name: &str| item.get(name).and_then(|it| it.as_s().ok()).cloned();
        (text("pk").unwrap_or_default(), text("sk").unwrap_or_default())
    });
    let service = Service::find(to).await?;
    let bar = ProgressBar::new_spinner();
    let written = async {
        loop {
            match service.ask(side, RecoveryRequest::Page { after: after.take() }).await? {
                RecoveryReply::Page { records, next } => {
                    for record in &records {
                        writer.entry(record)?;
                    }
                    bar.set_message(format!("{} records", writer.entries()));
                    bar.tick();
                    after = next;
                }
                RecoveryReply::Answer(_) => return Err(RecoveryCommandError::Reply),
            }
            if after.is_none() {
                return Ok(writer.finish()?);
            }
        }
    };
    let written = written.await;
    bar.finish_and_clear();
    service.close().await;
    let written = written?;
    output.say(&format!("Wrote {written} records of the {side} side to {}.", out.display()));
    output.note("The file outlives the deletion of old records: keep it like a backup.");
    Ok(true)
}

/// Has each party encrypt its half to the recipient, the cosigner first, because it decides.
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
    let service = Service::find((&args.place, place)).await?;
    let halves = async {
        let released = exported(service.call(Side::Cosigner, call(None)).await?)?;
        let own = service.call(Side::Endpoint, call(Some(released.clone()))).await?;
        Ok::<_, RecoveryCommandError>((exported(own)?, released))
    };
    let halves = halves.await;
    service.close().await;
    let (endpoint, cosigner) = halves?;
    Export::write(&args.out, *endpoint, *cosigner)?;
    output.say(&format!("Wrote both halves to {}.", args.out.display()));
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
    let service = Service::find(to).await?;
    let begun = service.call(side, RecoveryCall::Begin).await;
    service.close().await;
    let RecoveryAnswer::Begun(begun) = begun? else {
        return Err(RecoveryCommandError::Reply);
    };
    transport::write(out, &begun)?;
    output.say(&transport::grouped(&begun.public_key.id()));
    output.note(&format!("Wrote the transport key of the {side} side to {}.", out.display()));
    output.note(
        "Read the fingerprint above to the holder of the recovery key. It is valid for 7 days.",
    );
    Ok(true)
}

pub(super) async fn import(
    side: Side,
    (transport, halves): (&Path, &Path),
    to: (&PlaceArgs, &Place<'_>),
    output: &impl Output,
) -> Result<bool, RecoveryCommandError> {
    let transport = transport::read(transport, side, to.1.clock.now_ms())?;
    let (header, halves) = file::read::<TransportedHalf>(halves, Kind::Halves, side)?;
    if header.transport != Some(transport.public_key.id()) {
        return Err(RecoveryCommandError::OtherTransport);
    }
    let service = Service::find(to).await?;
    let bar = ProgressBar::new(halves.len() as u64);
    let (mut restored, mut present, mut refused) = (0, 0, 0);
    let done = async {
        for part in halves.chunks(MAX_HALVES) {
            let call = RecoveryCall::Import { transport: transport.clone(), halves: part.to_vec() };
            let RecoveryAnswer::Imported(done) = service.call(side, call).await? else {
                return Err(RecoveryCommandError::Reply);
            };
            for (half, imported) in part.iter().zip(done) {
                match imported {
                    Imported::Restored => restored += 1,
                    Imported::Present => present += 1,
                    Imported::Refused(cause) => {
                        refused += 1;
                        output.say(&format!("{}: {cause}", half.record.wallet_id));
                    }
                }
            }
            bar.inc(part.len() as u64);
        }
        Ok(())
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
