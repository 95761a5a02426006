//! Checks of a change that permits the export of a wallet's key, before an approver signs it.
//!
//! The service's statements can only prevent a signature. The signed text has the typed values.

use domain::eth::Address;
use domain::policy::{Change, PolicyState, WalletExport};

use super::{PolicyCommandError, Session};

/// The longest time from a change's delay to the end of its permission, in seconds: 30 days.
const MAX_UNTIL_S: u64 = 30 * 24 * 60 * 60;

/// What a service knows about a wallet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Known {
    /// It shows no wallets.
    Nothing,
    /// The tenant has no such wallet.
    Missing,
    /// The wallet's address, and the version of its shares if the service shows it.
    Wallet(Address, Option<u32>),
}

impl Session<'_> {
    /// Checks the export that a change permits. Other changes pass.
    pub(super) async fn check_export(
        &self,
        change: &Change,
        state: &PolicyState,
    ) -> Result<(), PolicyCommandError> {
        let Change::ExportWallet { export } = change else { return Ok(()) };
        let known = self.service.wallet(&self.args.tenant, export.wallet_id).await?;
        checked(export, known, (state.delay_s, self.place.clock.now_ms() / 1_000))
    }
}

fn checked(
    export: &WalletExport,
    known: Known,
    (delay_s, now_s): (u64, u64),
) -> Result<(), PolicyCommandError> {
    let from_s = now_s.saturating_add(delay_s);
    let last_s = from_s.saturating_add(MAX_UNTIL_S);
    if export.until_s <= from_s || export.until_s > last_s {
        return Err(PolicyCommandError::Until { from_s, last_s });
    }
    match known {
        Known::Missing => Err(PolicyCommandError::NoWallet(export.wallet_id)),
        Known::Wallet(address, _) if address != export.address => {
            Err(PolicyCommandError::OtherAddress(address))
        }
        Known::Wallet(_, Some(version)) if version != export.share_version => {
            Err(PolicyCommandError::OtherVersion(version))
        }
        Known::Nothing | Known::Wallet(..) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn export_that_does_not_fit_is_refused_before_its_signature() {
        let address = |last: &str| format!("0x{last:0>40}").parse::<Address>().unwrap();
        let export = |until_s| WalletExport {
            wallet_id: Uuid::from_u128(1),
            address: address("1"),
            share_version: 3,
            recipient: String::new(),
            until_s,
        };
        let time = (60, 1_000);
        let last_s = 1_060 + MAX_UNTIL_S;
        for until_s in [1_061, last_s] {
            for known in [Known::Nothing, Known::Wallet(address("1"), None)] {
                checked(&export(until_s), known, time).unwrap();
            }
            checked(&export(until_s), Known::Wallet(address("1"), Some(3)), time).unwrap();
        }
        for until_s in [0, 1_060, last_s + 1] {
            let refused = checked(&export(until_s), Known::Nothing, time).unwrap_err();
            assert!(refused.to_string().contains("--until"), "{refused}");
        }
        for (known, option) in [
            (Known::Missing, "--wallet-id"),
            (Known::Wallet(address("2"), Some(3)), "--address"),
            (Known::Wallet(address("1"), Some(4)), "--share-version"),
        ] {
            let refused = checked(&export(last_s), known, time).unwrap_err();
            assert!(refused.to_string().contains(option), "{refused}");
        }
    }
}
