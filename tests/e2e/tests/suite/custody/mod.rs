//! Tests the two parties of a wallet key: their protocol, the signing policy, and the stored data.

mod attacks;
mod callers;
mod drills;
mod keygen;
mod operator_freeze;
mod payments;
mod protocol;
mod reserved;
mod storage;
