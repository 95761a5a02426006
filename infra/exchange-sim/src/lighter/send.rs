//! `sendTx` and `sendTxBatch`, and the sequencer.

use serde_json::{Value, json};

use super::book::{Book, Outcome, Record};
use super::refusal::{
    BATCH_LENGTH, BATCH_SIZE, INVALID_NONCE, INVALID_PARAMETER, INVALID_TX_INFO,
    NONCE_NOT_INCREASING, ORDER_MARGIN, Refusal, SEVERAL_SENDERS, UPDATE_SDK,
};
use super::routes::Parameters;
use super::trade::{self, Executed};
use super::wire::{self, SKIP_NONCE, Tx};
use super::{Exchange, StatedHash, proof};
use crate::lock;
use crate::market::Engine;

/// Number of transactions in one batch.
const MAX_BATCH: usize = 50;

/// The longest validity of a transaction in milliseconds: a guess.
const MAX_AHEAD_MS: u64 = 24 * 60 * 60 * 1_000;

/// Accepts one transaction.
pub(super) fn one(
    exchange: &Exchange,
    parameters: &Parameters,
    now: u64,
) -> Result<Value, Refusal> {
    let (tx_type, info) = (parameters.text("tx_type")?, parameters.text("tx_info")?);
    exchange.settle(now);
    let tx = wire::parse(tx_type, info)?;
    let stated = {
        let mut book = lock(&exchange.0.book);
        let hash = exchange.check(&book, &tx, None, now)?;
        let (known, stated) = named(&hash, exchange.rules().hash);
        exchange.accept(&mut book, &known, &tx, info, now);
        stated
    };
    exchange.settle(now);
    Ok(accepted(exchange, &json!(stated), now))
}

/// Returns the hash by which a transaction is found, and the one that the response states.
fn named(hash: &str, rule: StatedHash) -> (String, String) {
    let other: String = hash.chars().rev().collect();
    match rule {
        StatedHash::Own => (hash.to_owned(), hash.to_owned()),
        StatedHash::Other => (other.clone(), other),
        StatedHash::Lost => (other, "0".repeat(hash.len())),
    }
}

/// Accepts several transactions of one key, or none.
pub(super) fn batch(
    exchange: &Exchange,
    parameters: &Parameters,
    now: u64,
) -> Result<Value, Refusal> {
    let list = |name| parameters.text(name).map(str::as_bytes);
    let types: Vec<u8> =
        serde_json::from_slice(list("tx_types")?).map_err(|_| INVALID_PARAMETER)?;
    let infos: Vec<String> =
        serde_json::from_slice(list("tx_infos")?).map_err(|_| INVALID_PARAMETER)?;
    if types.len() != infos.len() || types.is_empty() {
        return Err(BATCH_LENGTH);
    }
    if types.len() > MAX_BATCH {
        return Err(BATCH_SIZE);
    }
    exchange.settle(now);
    let mut txs = Vec::new();
    for (tx_type, info) in types.iter().zip(&infos) {
        txs.push(wire::parse(&tx_type.to_string(), info)?);
    }
    let mut hashes = Vec::new();
    {
        let mut book = lock(&exchange.0.book);
        for (nth, tx) in txs.iter().enumerate() {
            let before = nth.checked_sub(1).and_then(|before| txs.get(before));
            if before.is_some_and(|it| (it.account, it.slot) != (tx.account, tx.slot)) {
                return Err(SEVERAL_SENDERS);
            }
            hashes.push(exchange.check(&book, tx, before, now)?);
        }
        for ((tx, hash), info) in txs.iter().zip(&hashes).zip(&infos) {
            exchange.accept(&mut book, hash, tx, info, now);
        }
    }
    exchange.settle(now);
    Ok(accepted(exchange, &json!(hashes), now))
}

/// Checks the nonce of a transaction in a batch against that of the one before.
fn follows(before: &Tx, tx: &Tx) -> Result<(), Refusal> {
    if tx.nonce <= before.nonce {
        return Err(NONCE_NOT_INCREASING);
    }
    let skips = tx.attributes.get(&SKIP_NONCE) == Some(&1);
    if skips || tx.nonce == before.nonce + 1 { Ok(()) } else { Err(INVALID_NONCE) }
}

fn accepted(exchange: &Exchange, hashes: &Value, now: u64) -> Value {
    json!({
        "code": 200,
        "message": "{\"ratelimit\": \"didn't use volume quota\"}",
        "tx_hash": hashes,
        "predicted_execution_time_ms": now + exchange.rules().pending_ms,
        "volume_quota_remaining": 1_000,
    })
}

impl Exchange {
    /// Checks what the API checks, and returns the hash. `before` is the transaction before it in a
    /// batch.
    fn check(
        &self,
        book: &Book,
        tx: &Tx,
        before: Option<&Tx>,
        now: u64,
    ) -> Result<String, Refusal> {
        book.slot(tx.account, tx.slot)?;
        if self.rules().outdated {
            return Err(UPDATE_SDK);
        }
        let hash = tx.hash(self.0.network.chain_id());
        book.verify((tx.account, tx.slot), &hash, &tx.signature)?;
        // The real code is not published.
        if tx.expired_at <= now || tx.expired_at > now + MAX_AHEAD_MS {
            return Err(INVALID_TX_INFO);
        }
        match before {
            None => book.check_nonce(tx)?,
            Some(before) => follows(before, tx)?,
        }
        trade::check(&lock(&self.0.engine), trade::trader(tx.account), tx, now)?;
        Ok(proof::text(&hash))
    }

    fn accept(&self, book: &mut Book, hash: &str, tx: &Tx, info: &str, now: u64) {
        let due = now + self.rules().pending_ms;
        book.accept(hash.to_owned(), tx, info.to_owned(), (now, due));
    }

    /// Executes the accepted transactions that are due by now, and the scheduled cancellations.
    pub(super) fn settle(&self, now: u64) {
        let mut book = lock(&self.0.book);
        let mut engine = lock(&self.0.engine);
        while let Some((hash, record)) = book.due(now) {
            let result = self.run(&mut engine, &hash, &record);
            engine.commit(record.due);
            let (error, event, unused) = match result {
                Ok(Executed { event, cancel_all_at }) => {
                    let account = book.account_mut(record.account);
                    if let (Some(account), Some(at)) = (account, cancel_all_at) {
                        account.cancel_all_at = at;
                    }
                    (None, event, false)
                }
                Err((code, message)) => {
                    let expired = record.expired_at <= record.due;
                    let cause = json!({"code": code, "message": message}).to_string();
                    let unused = expired || code == ORDER_MARGIN.code;
                    (Some((code, message)), json!({"ae": cause}), unused)
                }
            };
            let outcome = Outcome { at: record.due, error, event_info: event.to_string() };
            book.finish(&hash, outcome, unused);
        }
        for index in book.indexes() {
            let Some(account) = book.account_mut(index) else { continue };
            if (1..=now).contains(&account.cancel_all_at) {
                account.cancel_all_at = 0;
                trade::cancel_open(&mut engine, trade::trader(index), None, now);
                engine.commit(now);
            }
        }
    }

    fn run(
        &self,
        engine: &mut Engine,
        hash: &str,
        record: &Record,
    ) -> Result<Executed, (u32, String)> {
        if let Some(refusal) = lock(&self.0.rules).refuse_next.take() {
            return Err(refusal);
        }
        if record.expired_at <= record.due {
            return Err((INVALID_TX_INFO.code, "transaction expired".to_owned()));
        }
        let stated = |refusal: Refusal| (refusal.code, refusal.message.to_owned());
        let tx = wire::parse(&record.tx_type.to_string(), &record.info).map_err(stated)?;
        trade::execute(engine, &tx, hash, record.due).map_err(stated)
    }
}
