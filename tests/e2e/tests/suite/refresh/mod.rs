//! Tests refreshes of a wallet's shares.

mod attacks;
mod late;
mod oldest_shares;
mod operations;
