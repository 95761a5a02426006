//! Known-answer tests of payments, and tests of their rules. The vectors are those of
//! `shared/tests/vectors`; `README.md` there states the programs that agree with them.

use serde_json::Value;

use super::*;
use crate::eth::{AgentKey, Digest, Signature, keccak256};
use crate::intent::HyperliquidChain;

fn vectors(file: &str, category: &str) -> Vec<Value> {
    let path = format!("{}/../tests/vectors/{file}.json", env!("CARGO_MANIFEST_DIR"));
    let all: Vec<Value> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    all.into_iter().filter(|vector| vector["category"] == category).collect()
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{pointer}: {value}"))
}

fn number(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or_else(|| panic!("{pointer}: {value}"))
}

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text.strip_prefix("0x").unwrap()).unwrap()
}

fn amount(text: &str) -> Amount {
    Amount::parse(text).unwrap()
}

fn chain(text: &str) -> HyperliquidChain {
    crate::intent::parse_chain(text).unwrap()
}

fn key(vector: &Value) -> AgentKey {
    AgentKey::from_bytes(&bytes(text(vector, "/private_key"))).unwrap()
}

/// Signs with the vector's key. The signature of a key alone is deterministic.
fn signed(vector: &Value, digest: Digest) -> Signature {
    key(vector).sign(&digest).unwrap()
}

fn dex(vector: &Value, name: &str) -> Dex {
    text(vector, &format!("/inputs/{name}")).to_owned().try_into().unwrap()
}

fn token(text: &str) -> HyperliquidToken {
    text.to_owned().try_into().unwrap()
}

/// The payment of a Hyperliquid vector. `None` for actions that a payment never is.
fn hyperliquid_payment(vector: &Value) -> Option<Payment> {
    let to = vector.pointer("/inputs/destination").and_then(Value::as_str);
    let amount = Amount::parse(vector["inputs"]["amount"].as_str()?).ok()?;
    // The text in the vector must be the one that a payment states.
    let destination: Option<Address> = to.map(|text| text.parse().unwrap());
    if to.is_some_and(|text| text != destination.unwrap().to_lower_hex()) {
        return None;
    }
    let usdc = || token("USDC:0x6d1e7cde53ba9467b783cb7c530ce054");
    Some(match text(vector, "/inputs/action_type") {
        "withdraw3" => Payment::HyperliquidWithdraw(HyperliquidWithdraw {
            destination: destination.unwrap(),
            amount,
            route: Route::Bridge,
            max_fee: Amount::ZERO,
        }),
        "usdSend" => Payment::HyperliquidSendAsset(HyperliquidSendAsset {
            destination: destination.unwrap(),
            token: usdc(),
            amount,
            source: Dex::perps(),
            target: Dex::perps(),
            standard: true,
        }),
        "sendAsset" => {
            let token = token(text(vector, "/inputs/token"));
            let (source, target) = (dex(vector, "sourceDex"), dex(vector, "destinationDex"));
            if !text(vector, "/inputs/fromSubAccount").is_empty() {
                return None;
            }
            if destination == Some(key(vector).address()) {
                let (from, to) = (source, target);
                let own = HyperliquidMoveOwn { token, amount, from, to, standard: false };
                return Some(Payment::HyperliquidMoveOwn(own));
            }
            let destination = destination.unwrap();
            let standard = false;
            Payment::HyperliquidSendAsset(HyperliquidSendAsset {
                destination,
                token,
                amount,
                source,
                target,
                standard,
            })
        }
        "usdClassTransfer" => {
            let (from, to) = match vector["inputs"]["toPerp"].as_bool().unwrap() {
                true => (Dex::spot(), Dex::perps()),
                false => (Dex::perps(), Dex::spot()),
            };
            let own = HyperliquidMoveOwn { token: usdc(), amount, from, to, standard: true };
            Payment::HyperliquidMoveOwn(own)
        }
        _ => return None,
    })
}

#[test]
fn hyperliquid_payment_has_the_vectors_digest_and_body() {
    let mut names = Vec::new();
    for vector in vectors("hyperliquid_trading", "hyperliquid_money_user_signed") {
        if text(&vector, "/inputs/signature_chain_id") != "0x66eee" {
            continue;
        }
        let Some(payment) = hyperliquid_payment(&vector) else { continue };
        let wallet = key(&vector).address();
        payment.check(wallet).unwrap();
        let form = Form {
            payment: &payment,
            wallet,
            chains: Chains {
                hyperliquid: chain(text(&vector, "/inputs/hyperliquid_chain")),
                aster: HyperliquidChain::Mainnet,
            },
            nonces: Nonces::Hyperliquid(number(&vector, "/inputs/nonce")),
        };
        let name = text(&vector, "/name");
        let digest = form.digest(&[]).unwrap();
        assert_eq!(digest.to_vec(), bytes(text(&vector, "/hashes/digest")), "{name}");
        let signature = signed(&vector, digest);
        let body = text(&vector, "/request/body_text").to_owned();
        assert_eq!(form.sent(&[signature]), Some(Sent::Hyperliquid(body)), "{name}");
        assert_eq!((form.sent(&[]), form.digest(&[signature])), (None, None), "{name}");
        names.push(name.to_owned());
    }
    let want = [
        "hl-money-usd-send-testnet-official",
        "hl-money-withdraw3-testnet-official",
        "hl-money-withdraw3-mainnet",
        "hl-money-usd-send-mainnet",
        "hl-money-usd-send-lower-case-destination",
        "hl-money-send-asset-perp-to-spot-mainnet",
        "hl-money-send-asset-spot-to-hip3-dex-testnet",
        "hl-money-usd-class-transfer-to-perp-mainnet",
        "hl-money-usd-class-transfer-to-spot-testnet",
    ];
    assert_eq!(names, want);
}

/// The vectors of `sendToEvmWithData` differ from a payment in the `signatureChainId` or in the
/// data, so this digest was computed from their typed data with eth-account.
#[test]
fn cctp_withdrawal_has_the_digest_of_another_library() {
    let payment = Payment::HyperliquidWithdraw(HyperliquidWithdraw {
        destination: "0x5e9ee1089755c3435139848e47e6635505d5a13a".parse().unwrap(),
        amount: amount("25.5"),
        route: Route::Cctp { domain: 3, gas_limit: 200_000, source: Dex::perps() },
        max_fee: amount("0.2"),
    });
    let form = Form {
        payment: &payment,
        wallet: Address::ZERO,
        chains: Chains { hyperliquid: HyperliquidChain::Mainnet, aster: HyperliquidChain::Mainnet },
        nonces: Nonces::Hyperliquid(1_790_000_000_414),
    };
    let want = "a42f2eb3b4c81a7b1ceffa7ceb2afc7a3a6ae516dbb54dac52c391442bd5bd59";
    assert_eq!(hex::encode(form.digest(&[]).unwrap()), want);
    let vectors = vectors("hyperliquid_trading", "hyperliquid_money_user_signed");
    let named =
        |vector: &&Value| vector["name"] == "hl-money-send-to-evm-with-data-arbitrum-mainnet";
    let vector = vectors.iter().find(named).unwrap();
    let Some(Sent::Hyperliquid(body)) = form.sent(&[signed(vector, [1; 32])]) else {
        panic!("a body")
    };
    let body: Value = serde_json::from_str(&body).unwrap();
    let mut action = vector["request"]["body_json"]["action"].clone();
    action["signatureChainId"] = "0x66eee".into();
    assert_eq!(body["action"], action);
}

#[test]
fn aster_withdrawal_has_the_vectors_digests_and_body() {
    let mut complete = 0;
    for vector in vectors("aster_trading", "aster_withdraw") {
        let is_spot = text(&vector, "/inputs/product") == "spot";
        let payment = Payment::AsterWithdraw(AsterWithdraw {
            chain_id: number(&vector, "/inputs/chainId"),
            asset: text(&vector, "/inputs/asset").to_owned(),
            amount: amount(text(&vector, "/inputs/amount")),
            fee: amount(text(&vector, "/inputs/fee")),
            account_type: if is_spot { AccountType::Spot } else { AccountType::Perp },
        });
        let wallet = key(&vector).address();
        payment.check(wallet).unwrap();
        let user_nonce = text(&vector, "/inputs/userNonce").parse().unwrap();
        let form = Form {
            payment: &payment,
            wallet,
            chains: Chains {
                hyperliquid: HyperliquidChain::Testnet,
                aster: HyperliquidChain::Mainnet,
            },
            nonces: Nonces::Aster(number(&vector, "/inputs/nonce"), user_nonce),
        };
        let name = text(&vector, "/name");
        let digest = form.digest(&[]).unwrap();
        assert_eq!(digest.to_vec(), bytes(text(&vector, "/hashes/digest")), "{name}");
        let action = signed(&vector, digest);
        assert_eq!(action.to_hex(), text(&vector, "/signature/hex"), "{name}");
        // The cosigner never lets an agent sign the wrapper.
        if text(&vector, "/inputs/wrapper_signed_by") != "wallet" {
            continue;
        }
        let wrapper = form.digest(&[action]).unwrap();
        assert_eq!(wrapper.to_vec(), bytes(text(&vector, "/wrapper/hashes/digest")), "{name}");
        let both = [action, signed(&vector, wrapper)];
        let body = text(&vector, "/request/body_text").to_owned();
        assert_eq!(form.sent(&both), Some(Sent::Aster(body, AccountType::Perp)), "{name}");
        assert_eq!((form.sent(&both[..1]), form.digest(&both)), (None, None), "{name}");
        complete += 1;
    }
    assert!(complete >= 1, "a vector has a wrapper by the wallet");
}

#[test]
fn transaction_has_the_vectors_bytes_and_hash() {
    let (mut dynamic, mut legacy) = (0, 0);
    for vector in vectors("aster_trading", "aster_deposit_tx") {
        let wei = |name: &str| text(&vector["tx"], name).parse().unwrap();
        let fee = if vector["tx"].get("gasPrice").is_some() {
            legacy += 1;
            EvmFee::Legacy { gas_price: wei("/gasPrice") }
        } else {
            dynamic += 1;
            EvmFee::Dynamic {
                max_fee_per_gas: wei("/maxFeePerGas"),
                max_priority_fee_per_gas: wei("/maxPriorityFeePerGas"),
            }
        };
        let transaction = Transaction {
            chain_id: number(&vector, "/tx/chainId"),
            nonce: number(&vector, "/tx/nonce"),
            gas_limit: number(&vector, "/tx/gas"),
            fee,
            to: text(&vector, "/tx/to").parse().unwrap(),
            value: text(&vector, "/tx/value").parse().unwrap(),
            data: bytes(text(&vector, "/tx/data")),
        };
        let name = text(&vector, "/name");
        let raw = transaction.signed(&signed(&vector, transaction.digest()));
        assert_eq!(raw, bytes(text(&vector, "/raw_transaction")), "{name}");
        let hash = keccak256(&raw).to_vec();
        assert_eq!(hash, bytes(text(&vector, "/transaction_hash")), "{name}");
    }
    assert!(dynamic >= 1 && legacy >= 1, "both forms have a vector");
}

fn transfer() -> EvmTokenTransfer {
    EvmTokenTransfer {
        chain_id: 56,
        token: EvmToken::Erc20 {
            symbol: "USDT".to_owned(),
            contract: "0x55d398326f99059fF775485246999027B3197955".parse().unwrap(),
            decimals: 18,
        },
        destination: "0x5e9ee1089755c3435139848e47e6635505d5a13a".parse().unwrap(),
        amount: amount("100"),
        gas_limit: 80_000,
        fee: EvmFee::Dynamic { max_fee_per_gas: 2_000_000_000, max_priority_fee_per_gas: 1 },
        account_nonce: 0,
    }
}

const WALLET: &str = "0x14791697260E4c9A71f18484C9f997B308e59325";

#[test]
fn token_transfer_calls_only_transfer() {
    let made = transfer().transaction().unwrap();
    let data = "a9059cbb0000000000000000000000005e9ee1089755c3435139848e47e6635505d5a13a\
                0000000000000000000000000000000000000000000000056bc75e2d63100000";
    assert_eq!((hex::encode(&made.data).as_str(), made.value), (data, 0));
    assert_eq!(made.to.to_lower_hex(), "0x55d398326f99059ff775485246999027b3197955");
    let native = EvmTokenTransfer { token: EvmToken::Native, ..transfer() }.transaction().unwrap();
    assert_eq!((native.data.len(), native.value), (0, 100 * 10_u128.pow(18)));
    assert_eq!(native.to, transfer().destination);
    let mut usdt = transfer();
    usdt.amount = amount("0.000001");
    let EvmToken::Erc20 { decimals, .. } = &mut usdt.token else { unreachable!() };
    *decimals = 6;
    assert!(usdt.transaction().unwrap().data.ends_with(&[0, 1]));
    usdt.amount = amount("0.0000001");
    assert!(usdt.transaction().is_err(), "7 places");
    assert_eq!(transfer().max_gas_cost(), 160_000_000_000_000);
}

#[test]
fn destination_that_loses_the_money_is_refused() {
    let wallet: Address = WALLET.parse().unwrap();
    let twos = "2".repeat(40);
    for to in [
        "2000000000000000000000000000000000000000",
        "200000000000000000000000000000000000010c",
        "20000000000000000000000000000000ffffffff",
        twos.as_str(),
        "0000000000000000000000000000000000000000",
        &WALLET[2..],
    ] {
        let destination: Address = format!("0x{to}").parse().unwrap();
        let sent = Payment::HyperliquidSendAsset(HyperliquidSendAsset {
            destination,
            token: token("USDC:0x6d1e7cde53ba9467b783cb7c530ce054"),
            amount: amount("1"),
            source: Dex::spot(),
            target: Dex::spot(),
            standard: false,
        });
        assert!(sent.check(wallet).is_err(), "{to}");
        let paid = EvmTokenTransfer { destination, ..transfer() };
        assert!(Payment::EvmTokenTransfer(paid).check(wallet).is_err(), "{to}");
    }
    let EvmToken::Erc20 { contract, .. } = transfer().token else { unreachable!() };
    let paid = EvmTokenTransfer { destination: contract, ..transfer() };
    assert!(Payment::EvmTokenTransfer(paid).check(wallet).is_err(), "the token's contract");
    assert!(!is_system_address("0x2000000000000000000000010000000000000000".parse().unwrap()));
    assert!(Payment::EvmTokenTransfer(transfer()).check(wallet).is_ok());
}

#[test]
fn address_case_in_the_request_does_not_reach_the_digest() {
    let upper = "0x5E9EE1089755C3435139848E47E6635505D5A13A";
    let made = |destination: &str| {
        let json = format!(
            r#"{{"HyperliquidWithdraw":{{"destination":"{destination}","amount":"5",
            "route":"bridge","maxFee":"1"}}}}"#
        );
        serde_json::from_str::<Payment>(&json).unwrap()
    };
    let (mixed, lower) = (made(upper), made(&upper.to_lowercase()));
    assert_eq!(mixed, lower);
    assert!(serde_json::to_string(&mixed).unwrap().contains(&upper.to_lowercase()));
}

#[test]
fn amount_with_a_suffix_or_another_spelling_does_not_parse() {
    for text in
        ["1 subaccount:0x1d9470d4b963f552e6f671a81619d395877bf409", "1.0", "01", "1e1", "+1", ""]
    {
        let json = format!(
            r#"{{"HyperliquidMoveOwn":{{"token":"USDC:0x6d1e7cde53ba9467b783cb7c530ce054",
            "amount":"{text}","from":"","to":"spot","standard":true}}}}"#
        );
        assert!(serde_json::from_str::<Payment>(&json).is_err(), "{text}");
    }
}

#[test]
fn text_that_could_leave_its_json_string_does_not_parse() {
    for text in ["spot\"", "a b", "sp\\ot", "é", "01234567890123456"] {
        assert!(Dex::try_from(text.to_owned()).is_err(), "{text}");
    }
    for text in ["USDC", "USDC:0x00", "US DC:0x6d1e7cde53ba9467b783cb7c530ce054", ":0x"] {
        assert!(HyperliquidToken::try_from(text.to_owned()).is_err(), "{text}");
    }
    let upper = "USDC:0x6D1E7CDE53BA9467B783CB7C530CE054";
    assert!(HyperliquidToken::try_from(upper.to_owned()).is_err());
    let long = "a".repeat(65);
    for text in ["", "a b", "a/b", "a#b", &long] {
        assert!(text.parse::<PaymentId>().is_err(), "{text}");
    }
    let id = "0192c1a4-1f7a-7000-8000-00000000000a";
    assert_eq!(id.parse::<PaymentId>().unwrap().as_str(), id);
}

#[test]
fn payment_is_read_back_from_json() {
    for payment in [
        Payment::EvmTokenTransfer(transfer()),
        Payment::HyperliquidWithdraw(HyperliquidWithdraw {
            destination: WALLET.parse().unwrap(),
            amount: amount("25.5"),
            route: Route::Cctp { domain: 3, gas_limit: 200_000, source: Dex::spot() },
            max_fee: amount("0.2"),
        }),
    ] {
        let json = serde_json::to_value(&payment).unwrap();
        assert!(json.get(payment.name()).is_some(), "{json}");
        assert_eq!(serde_json::from_value::<Payment>(json).unwrap(), payment);
    }
    assert_eq!(Payment::NAMES.len(), 5);
}
