//! The two parties of a wallet key: their protocol, what the policy signs, and what is at rest.

mod attacks;
mod callers;
mod drills;
mod keygen;
mod operator_freeze;
mod protocol;
mod reserved;
mod storage;
