//! Tests of the simulators with the signing vectors, and of each rule through their routers.

#![expect(clippy::unwrap_used, reason = "a test that cannot continue fails")]

mod aster_account;
mod aster_manage;
mod aster_money;
mod aster_reads;
mod aster_register;
mod aster_trade;
mod aster_v1;
mod builders;
mod chain;
mod drift;
mod faults;
mod faults_trade;
mod hyperliquid_account;
mod hyperliquid_approve;
mod hyperliquid_info;
mod hyperliquid_l1;
mod hyperliquid_money;
mod hyperliquid_trade;
mod hyperliquid_wire;
mod journal;
mod lighter_send;
mod lighter_trade;
mod steer;
mod support;
mod vectors_aster;
mod vectors_hyperliquid;
mod vectors_lighter;
mod vectors_trading;
