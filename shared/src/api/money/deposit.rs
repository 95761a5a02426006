//! Deposits, which the service does not make. The response states where to send money, and what a
//! mistake loses. Sources: Aster's deposit document, and Hyperliquid's bridge document.

use domain::ids::Exchange;
use domain::intent::HyperliquidChain;
use platform::networks::Networks;
use serde::Serialize;
use serde_json::value::to_raw_value;

use crate::api::error::ApiError;
use crate::api::exchange::not_served;

/// A place to send money to.
#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
struct Place {
    network: &'static str,
    chain_id: u64,
    token: &'static str,
    token_address: &'static str,
    contract: &'static str,
}

/// Where to deposit, and what a mistake loses.
#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
struct Guidance {
    how: &'static str,
    places: &'static [Place],
    losses: &'static [&'static str],
}

const ASTER: Guidance = Guidance {
    how: "Approve the token for the contract, then call depositFor(currency, forAddress, amount, \
          broker) with the token's address, the wallet's address and the amount in the token's \
          smallest unit. broker 1000 credits the spot account; any other number, such as 0, credits \
          the futures account.",
    places: &[
        Place {
            network: "bnb",
            chain_id: 56,
            token: "USDT",
            token_address: "0x55d398326f99059fF775485246999027B3197955",
            contract: "0x128463A60784c4D3f46c23Af3f65Ed859Ba87974",
        },
        Place {
            network: "ethereum",
            chain_id: 1,
            token: "USDT",
            token_address: "0xdAC17F958D2ee523a2206206994597C13D831ec7",
            contract: "0x604DD02d620633Ae427888d41bfd15e38483736E",
        },
        Place {
            network: "arbitrum",
            chain_id: 42_161,
            token: "USDT",
            token_address: "0xFd086bC7CD5C481DCC9C85ebE478A1C0b69FCbb9",
            contract: "0x9E36CB86a159d479cEd94Fa05036f235Ac40E1d5",
        },
    ],
    losses: &[
        "broker 1000, the default of the published contract, credits the spot account. Perpetuals \
         cannot use that money until it is moved.",
        "A plain transfer to the contract credits the sender, not the wallet.",
        "depositFor with another forAddress gives the money to that address.",
        "USDT has 18 decimals on bnb and 6 on the other networks: a wrong unit sends another amount.",
        "USDT on ethereum refuses a new allowance while another one is left: approve 0 first.",
        "A token that the contract does not support reverts or is lost.",
    ],
};

const HYPERLIQUID_MAINNET: Guidance = Guidance {
    how: "Send USDC from another Hyperliquid account to the wallet's address; it arrives at once. \
          Or send native USDC from the wallet's own address to the bridge contract on Arbitrum, at \
          least 5 USDC.",
    places: &[Place {
        network: "arbitrum",
        chain_id: 42_161,
        token: "USDC",
        token_address: "0xaf88d065e77c8cC2239327C5EDb3A432268e5831",
        contract: "0x2df1c51e09aecf9cacb7bc98cb1742757f163df7",
    }],
    losses: HYPERLIQUID_LOSSES,
};

const HYPERLIQUID_TESTNET: Guidance = Guidance {
    how: "Send USDC from another Hyperliquid account to the wallet's address; it arrives at once. \
          Or send USDC2 from the wallet's own address to the bridge contract on Arbitrum Sepolia, at \
          least 5 USDC2.",
    places: &[Place {
        network: "arbitrum-sepolia",
        chain_id: 421_614,
        token: "USDC2",
        token_address: "0x1baAbB04529D43a73232B713C0FE471f7c7334d5",
        contract: "0x08cfc1B6b2dCF36A1480b99353A354AA8AC56f89",
    }],
    losses: HYPERLIQUID_LOSSES,
};

const HYPERLIQUID_LOSSES: &[&str] = &[
    "Less than 5 USDC to the bridge contract is lost.",
    "The bridge credits the sender: a transfer from an exchange or another wallet does not reach \
     this wallet.",
    "Any token other than this USDC, also bridged USDC.e, is lost at the bridge contract.",
    "A plain transfer of USDC to CoreDepositWallet on HyperEVM is stuck.",
];

/// Returns the response to a deposit: 422 with where to send money.
#[must_use]
pub fn deposit(exchange: Exchange, networks: Networks) -> ApiError {
    let is_main = |chain| chain == HyperliquidChain::Mainnet;
    let guidance = match exchange {
        Exchange::Aster if is_main(networks.aster) => &ASTER,
        Exchange::Aster => {
            return ApiError::new(422, "NOT_OFFERED", "The service does not make deposits").advise(
                "Get test funds from the exchange's own site: it has published no contract on its \
                 test network, and money in the contracts of its main network does not reach this \
                 deployment.",
            );
        }
        Exchange::Hyperliquid if is_main(networks.hyperliquid) => &HYPERLIQUID_MAINNET,
        Exchange::Hyperliquid => &HYPERLIQUID_TESTNET,
        Exchange::Lighter => return not_served(exchange.as_str()),
    };
    let data = to_raw_value(guidance).ok();
    ApiError::new(422, "NOT_OFFERED", "The service does not make deposits")
        .advise(
            "Deposit to the contract in data.places. Check the network, the token, the address and \
             the minimum with the exchange first: data.losses states what a mistake loses.",
        )
        .detail(|details| details.data = data)
}

/// Returns the response to a transfer between balances at an exchange other than Hyperliquid.
#[must_use]
pub fn transfer_not_offered() -> ApiError {
    ApiError::new(422, "NOT_OFFERED", "The service makes no transfers between balances at Aster")
        .advise("Withdraw from the account that holds the money: name it in accountType.")
}

#[cfg(test)]
mod tests {
    use domain::eth::Address;

    use super::*;

    #[test]
    fn every_address_of_a_deposit_is_valid() {
        for guidance in [ASTER, HYPERLIQUID_MAINNET, HYPERLIQUID_TESTNET] {
            for place in guidance.places {
                for text in [place.token_address, place.contract] {
                    assert!(text.parse::<Address>().is_ok(), "{text}");
                }
            }
        }
    }

    #[test]
    fn deposit_response_names_contract_and_losses() {
        let on = |chain| Networks { hyperliquid: chain, aster: chain };
        let main = on(HyperliquidChain::Mainnet);
        let error = deposit(Exchange::Hyperliquid, main);
        let body = error.body(1);
        assert_eq!((error.status, error.code), (422, "NOT_OFFERED"));
        for text in ["0x2df1c51e09aecf9cacb7bc98cb1742757f163df7", "Less than 5 USDC", "arbitrum"] {
            assert!(body.contains(text), "{text}");
        }
        let aster = deposit(Exchange::Aster, main).body(1);
        assert!(aster.contains("broker 1000") && aster.contains("credits the spot account"));
        let test = deposit(Exchange::Aster, on(HyperliquidChain::Testnet)).body(1);
        assert!(test.contains("NOT_OFFERED") && !test.contains("0x128463A60784"), "{test}");
    }
}
