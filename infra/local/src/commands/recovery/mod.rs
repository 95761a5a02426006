//! `hyperdex recovery`: records of both sides, and what their holders do with them.
//!
//! Security invariant: the commands that open a recovery key read and write files only, so they run
//! on a machine without a network. The commands that reach a stack never see a half of the cosigner's
//! side in the clear, and no command sees both halves of a wallet except `combine` and `open-export`.

mod arguments;
mod error;
mod offline;
mod online;
mod passphrase;
mod service;

use std::path::PathBuf;

use clap::Subcommand;
use domain::ids::{Tenant, WalletRef};

pub use self::error::RecoveryCommandError;

use self::arguments::{ExportArgs, KeyArgs, PlaceArgs, SideArg, wallet};
use super::arguments::{Output, Place};

/// A command of a recovery.
#[derive(Clone, Debug, Subcommand)]
pub enum RecoveryCommand {
    /// Make a recovery key (offline)
    ///
    /// Prints the public key for the deployment's parameter RecoveryPublicKey. Each side needs its
    /// own key, held by another person.
    Keygen {
        /// Side of the key
        #[arg(long, value_enum)]
        side: SideArg,
        /// New file for the private key: PKCS#8 under the passphrase
        #[arg(long)]
        out: PathBuf,
        /// File with the passphrase; - is stdin; default: a prompt
        #[arg(long)]
        passphrase_file: Option<PathBuf>,
    },
    /// Write all records of a side to a file
    ///
    /// A second run within 24 hours continues an unfinished file of the same table. Records that
    /// are damaged or have another record's key are printed and left out.
    Export {
        /// Side of the records
        #[arg(long, value_enum)]
        side: SideArg,
        /// New file
        #[arg(long)]
        out: PathBuf,
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show it as the text of the command")]
        place: PlaceArgs,
    },
    /// Open every record and check it (offline)
    Verify {
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show it as the text of the command")]
        key: KeyArgs,
        /// File of the side's records
        #[arg(long)]
        records: PathBuf,
        /// File of the other side's records
        #[arg(long, required_unless_present = "partial")]
        other_records: Option<PathBuf>,
        /// Independent list of the wallets: one address in each line
        #[arg(long, required_unless_present = "partial")]
        wallets: Option<PathBuf>,
        /// Skip the checks whose file is not given
        #[arg(long)]
        partial: bool,
        /// New file for the report to the operator
        #[arg(long)]
        report: Option<PathBuf>,
    },
    /// Store the report of a verification
    ///
    /// An alarm is raised when the last verification without faults is older than 40 days.
    /// Returns 1 if a newer report is stored. A report that is dated ahead of the stack's clock is
    /// refused.
    Report {
        /// Side that was verified
        #[arg(long, value_enum)]
        side: SideArg,
        /// File of `recovery verify --report`
        #[arg(long)]
        report: PathBuf,
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show it as the text of the command")]
        place: PlaceArgs,
    },
    /// Make a transport key of a new stack
    Begin {
        /// Side to restore
        #[arg(long, value_enum)]
        side: SideArg,
        /// New file for the transport key
        #[arg(long)]
        out: PathBuf,
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show it as the text of the command")]
        place: PlaceArgs,
    },
    /// Show the fingerprint of a stack's transport key
    ///
    /// The stack opens the key first. A second operator runs this with separate credentials, and
    /// reads the fingerprint to the holder of the recovery key.
    ShowTransport {
        /// Side to restore
        #[arg(long, value_enum)]
        side: SideArg,
        /// File of `recovery begin`
        #[arg(long)]
        transport: PathBuf,
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show it as the text of the command")]
        place: PlaceArgs,
    },
    /// Encrypt the halves of a side to a transport key (offline)
    ///
    /// Takes each wallet's newest version that both sides have and that opens, and names the
    /// wallets of both files without one. A second run within 24 hours continues an unfinished file.
    Open {
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show it as the text of the command")]
        key: KeyArgs,
        /// File of the side's records
        #[arg(long)]
        records: PathBuf,
        /// File of the other side's records
        #[arg(long)]
        other_records: PathBuf,
        /// File of `recovery begin`
        #[arg(long)]
        transport: PathBuf,
        /// Fingerprint of the transport key, from the second operator
        ///
        /// The second operator reads it to you from `recovery show-transport`. It must be the one
        /// that `recovery begin` printed for the first operator.
        #[arg(long)]
        fingerprint: String,
        /// New file for the halves
        #[arg(long)]
        out: PathBuf,
    },
    /// Restore the shares of a side in a new stack
    ///
    /// A restored share signs after its refresh. A second run restores what is missing.
    Import {
        /// Side to restore
        #[arg(long, value_enum)]
        side: SideArg,
        /// File of `recovery begin`
        #[arg(long)]
        transport: PathBuf,
        /// File of `recovery open`
        #[arg(long)]
        halves: PathBuf,
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show it as the text of the command")]
        place: PlaceArgs,
    },
    /// Make wallets due for the refresh job at once
    ///
    /// An import of the cosigner's side changes nothing in the wallets' table, so the job would
    /// skip its wallets. A wallet whose refresh failed rests for six hours. Needs access to the endpoint
    /// side.
    RequestRefresh {
        /// File of the endpoint side's records
        #[arg(long)]
        records: PathBuf,
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show it as the text of the command")]
        place: PlaceArgs,
    },
    /// Make the key of an export's recipient (offline)
    RecipientKey {
        /// New file for the private key: PKCS#8 under the passphrase
        #[arg(long)]
        out: PathBuf,
        /// File with the passphrase; - is stdin; default: a prompt
        #[arg(long)]
        passphrase_file: Option<PathBuf>,
    },
    /// Encrypt both halves of one wallet's key to a recipient
    ///
    /// Needs a change of the tenant's policy that is in effect: `policy propose export-wallet`.
    /// Each party encrypts its own half. The wallet is marked as exported. If no operator reaches
    /// both sides, run it with `--side cosigner`, then with `--side endpoint`.
    ExportWallet(ExportArgs),
    /// Open an exported wallet at its recipient (offline)
    OpenExport {
        /// File of `recovery export-wallet`
        #[arg(long)]
        export: PathBuf,
        /// Key file of `recovery recipient-key`
        #[arg(long)]
        key: PathBuf,
        /// File with its passphrase; - is stdin; default: a prompt
        #[arg(long)]
        passphrase_file: Option<PathBuf>,
        /// New file for the keystore (Web3 Secret Storage, version 3)
        #[arg(long)]
        out: PathBuf,
        /// File with the keystore's passphrase; default: a prompt
        #[arg(long)]
        keystore_passphrase_file: Option<PathBuf>,
    },
    /// Put the private key of one wallet together (offline)
    ///
    /// The last resort without any stack. Both holders are present.
    Combine {
        /// Key file of the endpoint side
        #[arg(long)]
        endpoint_key: PathBuf,
        /// File with its passphrase; - is stdin; default: a prompt
        #[arg(long)]
        endpoint_passphrase_file: Option<PathBuf>,
        /// File of the endpoint side's records
        #[arg(long)]
        endpoint_records: PathBuf,
        /// Key file of the cosigner
        #[arg(long)]
        cosigner_key: PathBuf,
        /// File with its passphrase; - is stdin; default: a prompt
        #[arg(long)]
        cosigner_passphrase_file: Option<PathBuf>,
        /// File of the cosigner's records
        #[arg(long)]
        cosigner_records: PathBuf,
        /// Wallet: a userId, a walletId or an address
        #[arg(long, value_parser = wallet)]
        wallet: WalletRef,
        /// Tenant of the wallet, if several have such a userId
        #[arg(long)]
        tenant: Option<Tenant>,
        /// New file for the keystore (Web3 Secret Storage, version 3)
        #[arg(long)]
        out: PathBuf,
        /// File with the keystore's passphrase; default: a prompt
        #[arg(long)]
        passphrase_file: Option<PathBuf>,
    },
}

/// Runs the command. Returns false if it found faults, for example of a record.
///
/// # Errors
/// Fails with the reason and the next action.
pub async fn run(
    command: &RecoveryCommand,
    place: &Place<'_>,
    output: &impl Output,
) -> Result<bool, RecoveryCommandError> {
    let now_ms = place.clock.now_ms();
    match command {
        RecoveryCommand::Keygen { side, out, passphrase_file } => {
            let source = (passphrase_file.as_deref(), &place.random);
            offline::keygen((*side).into(), out, source, output)
        }
        RecoveryCommand::Verify { key, records, other_records, wallets, partial: _, report } => {
            let others = (other_records.as_deref(), wallets.as_deref());
            offline::verify(key, records, others, (report.as_deref(), now_ms), output)
        }
        RecoveryCommand::Report { side, report, place: to } => {
            online::report((*side).into(), report, (to, place), output).await
        }
        RecoveryCommand::Open { key, records, other_records, transport, fingerprint, out } => {
            let records = (records.as_path(), other_records.as_path());
            let to = (transport.as_path(), fingerprint.as_str());
            offline::open(key, records, to, (out, now_ms), output)
        }
        RecoveryCommand::RecipientKey { out, passphrase_file } => {
            offline::recipient_key(out, (passphrase_file.as_deref(), &place.random), output)
        }
        RecoveryCommand::ExportWallet(args) => online::export_wallet(args, place, output).await,
        RecoveryCommand::OpenExport {
            export,
            key,
            passphrase_file,
            out,
            keystore_passphrase_file,
        } => {
            let key = (key.as_path(), passphrase_file.as_deref());
            let to = (out.as_path(), keystore_passphrase_file.as_deref());
            offline::open_export(export, key, to, &place.random, output)
        }
        RecoveryCommand::Combine { .. } => offline::combine(command, &place.random, output),
        RecoveryCommand::Export { side, out, place: to } => {
            online::export((*side).into(), out, (to, place), output).await
        }
        RecoveryCommand::Begin { side, out, place: to } => {
            online::begin((*side).into(), out, (to, place), output).await
        }
        RecoveryCommand::ShowTransport { side, transport, place: to } => {
            online::show_transport((*side).into(), transport, (to, place), output).await
        }
        RecoveryCommand::Import { side, transport, halves, place: to } => {
            let files = (transport.as_path(), halves.as_path());
            online::import((*side).into(), files, (to, place), output).await
        }
        RecoveryCommand::RequestRefresh { records, place: to } => {
            online::request_refresh(records, (to, place), output).await
        }
    }
}
