//! Raw transactions: of type 2 (EIP-1559), and legacy ones with a chain id (EIP-155).

use alloy_primitives::{Address, B256, Bytes, Signature, U256, keccak256};
use alloy_rlp::{Encodable, Header};

use crate::signature;

/// A transaction whose signature was checked.
#[derive(Clone, Debug)]
pub(super) struct Transaction {
    pub(super) hash: B256,
    pub(super) chain_id: u64,
    pub(super) nonce: u64,
    pub(super) gas: u64,
    pub(super) max_fee: u128,
    pub(super) tip: u128,
    pub(super) is_legacy: bool,
    pub(super) to: Address,
    pub(super) value: U256,
    pub(super) data: Bytes,
    pub(super) from: Address,
    pub(super) v: u64,
    pub(super) r: U256,
    pub(super) s: U256,
}

/// Reason for which a node does not take raw bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Invalid {
    #[error("rlp: the transaction is malformed")]
    Malformed,
    #[error("transaction type not supported")]
    Type,
    #[error("only replay-protected (EIP-155) transactions allowed over RPC")]
    Unprotected,
    #[error("invalid transaction v, r, s values")]
    Values,
    #[error("invalid sender")]
    Sender,
    /// Contracts are not simulated.
    #[error("contract creation is not simulated")]
    Creation,
}

/// An item of a list, with and without its header.
struct Item<'a> {
    raw: &'a [u8],
    payload: &'a [u8],
    is_list: bool,
}

/// Decodes a raw transaction, and recovers its sender.
pub(super) fn decode(raw: &[u8]) -> Result<Transaction, Invalid> {
    match raw {
        [2, rest @ ..] => dynamic(raw, rest),
        [first, ..] if *first >= 0xc0 => legacy(raw),
        _ => Err(Invalid::Type),
    }
}

/// `[chainId, nonce, tip, maxFee, gas, to, value, data, accessList, yParity, r, s]`
fn dynamic(raw: &[u8], list: &[u8]) -> Result<Transaction, Invalid> {
    let items = items(list)?;
    let [chain_id, nonce, tip, max_fee, gas, to, value, data, access, parity, r, s] =
        items.as_slice()
    else {
        return Err(Invalid::Malformed);
    };
    // An access list changes nothing here. The product has no use for one.
    if !access.is_list || !access.payload.is_empty() {
        return Err(Invalid::Malformed);
    }
    let signed = items.iter().take(9).map(|item| item.raw).collect::<Vec<_>>().concat();
    let mut message = vec![2];
    wrap(&signed, &mut message);
    let v = small(parity)?;
    let signature = signature(v, (number(r)?, number(s)?))?;
    let transaction = Transaction {
        hash: keccak256(raw),
        chain_id: small(chain_id)?,
        nonce: small(nonce)?,
        gas: small(gas)?,
        max_fee: wide(max_fee)?,
        tip: wide(tip)?,
        is_legacy: false,
        to: address(to)?,
        value: number(value)?,
        data: Bytes::copy_from_slice(bytes(data)?),
        from: sender(&message, &signature)?,
        v,
        r: signature.r(),
        s: signature.s(),
    };
    Ok(transaction)
}

/// `[nonce, gasPrice, gas, to, value, data, v, r, s]`
fn legacy(raw: &[u8]) -> Result<Transaction, Invalid> {
    let items = items(raw)?;
    let [nonce, price, gas, to, value, data, v, r, s] = items.as_slice() else {
        return Err(Invalid::Malformed);
    };
    let v = small(v)?;
    let code = v.checked_sub(35).ok_or(Invalid::Unprotected)?;
    let (chain_id, parity) = (code / 2, code % 2);
    let mut signed = items.iter().take(6).map(|item| item.raw).collect::<Vec<_>>().concat();
    chain_id.encode(&mut signed);
    0_u64.encode(&mut signed);
    0_u64.encode(&mut signed);
    let mut message = Vec::new();
    wrap(&signed, &mut message);
    let signature = signature(parity, (number(r)?, number(s)?))?;
    let price = wide(price)?;
    Ok(Transaction {
        hash: keccak256(raw),
        chain_id,
        nonce: small(nonce)?,
        gas: small(gas)?,
        max_fee: price,
        tip: price,
        is_legacy: true,
        to: address(to)?,
        value: number(value)?,
        data: Bytes::copy_from_slice(bytes(data)?),
        from: sender(&message, &signature)?,
        v,
        r: signature.r(),
        s: signature.s(),
    })
}

/// Returns the items of a list that fills the bytes.
fn items(mut list: &[u8]) -> Result<Vec<Item<'_>>, Invalid> {
    let malformed = |_| Invalid::Malformed;
    let mut rest = Header::decode_bytes(&mut list, true).map_err(malformed)?;
    if !list.is_empty() {
        return Err(Invalid::Malformed);
    }
    let mut items = Vec::new();
    while !rest.is_empty() {
        let start = rest;
        let header = Header::decode(&mut rest).map_err(malformed)?;
        let (payload, after) =
            rest.split_at_checked(header.payload_length).ok_or(Invalid::Malformed)?;
        rest = after;
        let raw = start.get(..start.len() - after.len()).ok_or(Invalid::Malformed)?;
        items.push(Item { raw, payload, is_list: header.list });
    }
    Ok(items)
}

/// Puts a payload into a list.
fn wrap(payload: &[u8], out: &mut Vec<u8>) {
    Header { list: true, payload_length: payload.len() }.encode(out);
    out.extend(payload);
}

fn bytes<'a>(item: &Item<'a>) -> Result<&'a [u8], Invalid> {
    if item.is_list { Err(Invalid::Malformed) } else { Ok(item.payload) }
}

/// Reads a number without leading zeros.
fn number(item: &Item<'_>) -> Result<U256, Invalid> {
    match bytes(item)? {
        [0, ..] => Err(Invalid::Malformed),
        digits => U256::try_from_be_slice(digits).ok_or(Invalid::Malformed),
    }
}

fn small(item: &Item<'_>) -> Result<u64, Invalid> {
    u64::try_from(number(item)?).map_err(|_| Invalid::Malformed)
}

fn wide(item: &Item<'_>) -> Result<u128, Invalid> {
    u128::try_from(number(item)?).map_err(|_| Invalid::Malformed)
}

fn address(item: &Item<'_>) -> Result<Address, Invalid> {
    match bytes(item)? {
        [] => Err(Invalid::Creation),
        digits => Address::try_from(digits).map_err(|_| Invalid::Malformed),
    }
}

fn signature(parity: u64, (r, s): (U256, U256)) -> Result<Signature, Invalid> {
    let signature = match parity {
        0 => Signature::new(r, s, false),
        1 => Signature::new(r, s, true),
        _ => return Err(Invalid::Values),
    };
    // Chains refuse the higher of the two possible values.
    if r.is_zero() || s.is_zero() || signature.normalize_s().is_some() {
        return Err(Invalid::Values);
    }
    Ok(signature)
}

fn sender(message: &[u8], signature: &Signature) -> Result<Address, Invalid> {
    signature::recover(&keccak256(message), signature).ok_or(Invalid::Sender)
}
