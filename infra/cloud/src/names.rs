//! Names of the tables and keys in the local cloud.

/// Wallets' table.
pub const WALLETS_TABLE: &str = "hyperdex-wallets";
/// Cosigner's table.
pub const COSIGNER_TABLE: &str = "hyperdex-cosigner";
/// Table of the newest seal.
pub const SEALS_TABLE: &str = "hyperdex-seals";
/// Table of party 1's recovery records.
pub const RECOVERY_TABLE: &str = "hyperdex-recovery";
/// Table of the cosigner's recovery records.
pub const COSIGNER_RECOVERY_TABLE: &str = "hyperdex-cosigner-recovery";
/// Name of the deployment in the records of a local stack.
pub const LOCAL_DEPLOYMENT: &str = "local";
/// KMS key A.
pub const WALLETS_KEY: &str = "alias/hyperdex-wallets";
/// KMS key B.
pub const COSIGNER_KEY: &str = "alias/hyperdex-cosigner";
/// Key that signs the heads of the audit log.
pub const AUDIT_KEY: &str = "alias/hyperdex-audit";
