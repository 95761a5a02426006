//! `hyperdex recovery`: records of both sides, and what their holders do with them.
//!
//! Security invariant: the commands that open a recovery key read and write files only, so they run
//! on a machine without a network. The commands that reach a stack never see a half in the clear;
//! only the stack's own processes do.

mod arguments;
mod error;
mod offline;
mod online;

use std::path::PathBuf;

use clap::Subcommand;
use domain::ids::WalletRef;

pub use self::error::RecoveryCommandError;

use self::arguments::{ExportArgs, KeyArgs, PlaceArgs, SideArg};
use super::arguments::{Output, Place};

/// A command of a recovery.
#[derive(Clone, Debug, Subcommand)]
pub enum RecoveryCommand {
    /// Make a recovery key (offline)
    ///
    /// Prints the public key for the deployment's parameter RecoveryPublicKey. Each side needs its own
    /// key, held by another person.
    Keygen {
        /// Side of the key
        #[arg(long, value_enum)]
        side: SideArg,
        /// New file for the private key: PKCS#8 under the passphrase
        #[arg(long)]
        out: PathBuf,
        /// File with the passphrase; - reads standard input
        #[arg(long)]
        passphrase_file: PathBuf,
    },
    /// Write all records of a side to a file
    ///
    /// A second run continues an unfinished file.
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
        #[arg(long)]
        other_records: Option<PathBuf>,
        /// Independent list of the wallets: one address in each line
        #[arg(long)]
        wallets: Option<PathBuf>,
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
    /// Encrypt the halves of a side to a transport key (offline)
    ///
    /// Takes each wallet's newest version that both sides have. A second run continues an unfinished
    /// file.
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
        /// Fingerprint that `recovery begin` printed, read to you by the operator
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
    /// Make the key of an export's recipient (offline)
    RecipientKey {
        /// New file for the private key: PKCS#8 under the passphrase
        #[arg(long)]
        out: PathBuf,
        /// File with the passphrase; - reads standard input
        #[arg(long)]
        passphrase_file: PathBuf,
    },
    /// Encrypt both halves of one wallet's key to a recipient
    ///
    /// Needs a change of the tenant's policy that is in effect: `policy propose export-wallet`. Each
    /// party encrypts its own half. The wallet is marked as exported.
    ExportWallet(ExportArgs),
    /// Open an exported wallet at its recipient (offline)
    OpenExport {
        /// File of `recovery export-wallet`
        #[arg(long)]
        export: PathBuf,
        /// Key file of `recovery recipient-key`
        #[arg(long)]
        key: PathBuf,
        /// File with its passphrase; - reads standard input
        #[arg(long)]
        passphrase_file: PathBuf,
        /// New file for the keystore (Web3 Secret Storage, version 3)
        #[arg(long)]
        out: PathBuf,
        /// File with the passphrase of the keystore
        #[arg(long)]
        keystore_passphrase_file: PathBuf,
    },
    /// Put the private key of one wallet together (offline)
    ///
    /// The last resort without any stack. Both holders are present.
    Combine {
        /// Key file of the endpoint side
        #[arg(long)]
        endpoint_key: PathBuf,
        /// File with its passphrase
        #[arg(long)]
        endpoint_passphrase_file: PathBuf,
        /// File of the endpoint side's records
        #[arg(long)]
        endpoint_records: PathBuf,
        /// Key file of the cosigner
        #[arg(long)]
        cosigner_key: PathBuf,
        /// File with its passphrase
        #[arg(long)]
        cosigner_passphrase_file: PathBuf,
        /// File of the cosigner's records
        #[arg(long)]
        cosigner_records: PathBuf,
        /// Wallet: a userId, a walletId or an address
        #[arg(long)]
        wallet: WalletRef,
        /// New file for the keystore (Web3 Secret Storage, version 3)
        #[arg(long)]
        out: PathBuf,
        /// File with the passphrase of the keystore
        #[arg(long)]
        passphrase_file: PathBuf,
    },
}

/// Runs the command. Returns false if a verification or an import found faults.
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
            let source = (passphrase_file.as_path(), &place.random);
            offline::keygen((*side).into(), out, source, output)
        }
        RecoveryCommand::Verify { key, records, other_records, wallets } => {
            let others = (other_records.as_deref(), wallets.as_deref());
            offline::verify(key, records, others, output)
        }
        RecoveryCommand::Open { key, records, other_records, transport, fingerprint, out } => {
            let records = (records.as_path(), other_records.as_path());
            let to = (transport.as_path(), fingerprint.as_str());
            offline::open(key, records, to, (out, now_ms), output)
        }
        RecoveryCommand::RecipientKey { out, passphrase_file } => {
            offline::recipient_key(out, (passphrase_file, &place.random), output)
        }
        RecoveryCommand::ExportWallet(args) => online::export_wallet(args, place, output).await,
        RecoveryCommand::OpenExport {
            export,
            key,
            passphrase_file,
            out,
            keystore_passphrase_file,
        } => {
            let key = (key.as_path(), passphrase_file.as_path());
            let to = (out.as_path(), keystore_passphrase_file.as_path());
            offline::open_export(export, key, to, &place.random, output)
        }
        RecoveryCommand::Combine { .. } => offline::combine(command, &place.random, output),
        RecoveryCommand::Export { side, out, place: to } => {
            online::export((*side).into(), out, (to, place), output).await
        }
        RecoveryCommand::Begin { side, out, place: to } => {
            online::begin((*side).into(), out, (to, place), output).await
        }
        RecoveryCommand::Import { side, transport, halves, place: to } => {
            let files = (transport.as_path(), halves.as_path());
            online::import((*side).into(), files, (to, place), output).await
        }
    }
}
