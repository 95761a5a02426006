//! Reserved messages. They are not signed, because a venue treats a personal signature over them
//! as a login that makes keys, the approval of a key, the seed of a key, or a transfer.
//!
//! A venue verifies the signature over its own exact text, so another spelling helps an attacker
//! only if the venue normalises the text. Other spellings are refused anyway. Only letters and
//! digits are compared, after Unicode's compatibility decomposition (NFKD) and without regard to
//! case. Look-alike letters of other scripts stay different.

use icu_normalizer::DecomposingNormalizerBorrowed;

/// Prefixes of reserved messages. `docs/security/threat-model.md` has the sources.
const BEGINNINGS: [&str; 4] = [
    // Aster V1: "You are signing into Astherus <nonce>", earlier "… into Aster DEX <nonce>".
    "You are signing into",
    // Lighter's ChangePubKey.
    "Register Lighter Account",
    // IDEX: associates a wallet, and authorises a delegated key.
    "Hello from the IDEX team",
    // RabbitX: a session that makes API keys.
    "Welcome to Rabbit DEX",
];

/// Parts of reserved messages, anywhere in the text.
const PARTS: [&str; 6] = [
    // The last line of Lighter's ChangePubKey, Transfer, Approve Integrator, Create Lighter Sub
    // Account and Airdrop Allocation, of the key seeds of zkSync Lite and zkLink, and of other
    // venues.
    "Only sign this message for a trusted client!",
    // The key seeds of ApeX and edgeX, and edgeX's onboarding; that of dYdX v3 where signed as
    // JSON.
    "onlySignOn: http",
    // Loopring's key seed.
    "Sign this message to access Loopring Exchange",
    // Immutable X's key seed and key link.
    "Only sign this request if you’ve initiated an action with Immutable X",
    "Only sign this key linking request from Immutable X",
    // Aztec Connect's spending key, and its copies.
    "This key lets the application spend your funds",
];

/// Returns the letters and digits of a text in one form: without regard to case, width, style,
/// accents, whitespace, punctuation, or invisible characters.
#[must_use]
pub fn folded(text: &str) -> String {
    // Two Hangul letters are invisible, and the halfwidth and compatibility fillers decompose to
    // one of them. All other invisible characters are not letters.
    let is_shown = |letter: &char| !matches!(letter, '\u{115f}' | '\u{1160}');
    DecomposingNormalizerBorrowed::new_nfkd()
        .normalize_iter(text.chars())
        .flat_map(char::to_uppercase)
        .filter(|letter| letter.is_alphanumeric() && is_shown(letter))
        .collect()
}

/// Returns whether a message is reserved.
pub(super) fn is_reserved(message: &str) -> bool {
    let message = folded(message);
    BEGINNINGS.iter().any(|beginning| message.starts_with(&folded(beginning)))
        || PARTS.iter().any(|part| message.contains(&folded(part)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LAST_LINE: &str = "Only sign this message for a trusted client!";

    /// Returns a text of Lighter other than ChangePubKey, as its SDK fills it in.
    fn lighter(beginning: &str) -> String {
        format!(
            "{beginning}\n\nnonce: 0x0000000000000007\nchainId: 0x0000000000000130\n{LAST_LINE}"
        )
    }

    #[test]
    fn lighter_transfer_is_reserved() {
        assert!(is_reserved(&lighter("Transfer")));
    }

    #[test]
    fn lighter_integrator_approval_is_reserved() {
        assert!(is_reserved(&lighter("Approve Integrator")));
    }

    #[test]
    fn lighter_sub_account_is_reserved() {
        assert!(is_reserved(&lighter("Create Lighter Sub Account")));
    }

    #[test]
    fn lighter_airdrop_allocation_is_reserved() {
        assert!(is_reserved(&lighter("Airdrop Allocation")));
    }

    #[test]
    fn other_venues_texts_are_reserved() {
        for text in [
            "Access zkSync account.\n\nOnly sign this message for a trusted client!\nChain ID: 5.",
            "Sign this message to create a key to interact with zkLink's layer2 services.\n\
             NOTE: This application is powered by zkLink protocol.\n\n\
             Only sign this message for a trusted client!",
            "name: ApeX\nversion: 1.0\nenvId: 1\naction: L2 Key\nonlySignOn: https://pro.apex.exchange",
            "name: edgeX\nenvId: mainnet\naction: L2 Key\nonlySignOn: https://pro.edgex.exchange\n\
             clientAccountId: main",
            "action: edgeX Onboard\nonlySignOn: https://pro.edgex.exchange",
            "{\n  \"name\": \"dYdX\",\n  \"action\": \"dYdX Onboarding\",\n  \
             \"onlySignOn\": \"https://trade.dydx.exchange\"\n}",
            "Sign this message to access Loopring Exchange: \
             0x0BABA1Ad5bE3a5C0a66E7ac838a129Bf948f1eA4 with key nonce: 0",
            "Only sign this request if you’ve initiated an action with Immutable X.",
            "Only sign this request if you've initiated an action with Immutable X.",
            "Only sign this key linking request from Immutable X",
            "Hello from the IDEX team! Sign this message to prove you have control of this wallet. \
             This won't cost you any gas fees.\n\nMessage:\ndelegated 1",
            "Welcome to Rabbit DEX\n1700000000",
            "Sign this message to generate your Aztec Spending Key. This key lets the application \
             spend your funds on Aztec.\n\nIMPORTANT: Only sign this message if you trust the \
             application.",
        ] {
            assert!(is_reserved(text), "{text}");
        }
    }

    #[test]
    fn spellings_of_a_reserved_text_are_reserved() {
        for text in [
            "ONLY SIGN THIS MESSAGE FOR A TRUSTED CLIENT",
            "only\u{a0}sign\u{2003}this\u{3000}message\tfor\r\na \u{1680}trusted client",
            "Only sign th\u{200b}is mess\u{ad}age for\u{2060} a tr\u{feff}usted cl\u{200d}ient",
            "On\u{34f}ly si\u{180e}gn this\u{115f} m\u{1160}ess\u{3164}age f\u{ffa0}or a trusted client",
            "Only\u{fe0f} sign\u{e0061} this message for a trusted\u{206a} client",
            "Only\u{202e} sign this message for a trusted client\u{202c}",
            "Ｏｎｌｙ ｓｉｇｎ ｔｈｉｓ ｍｅｓｓａｇｅ ｆｏｒ ａ ｔｒｕｓｔｅｄ ｃｌｉｅｎｔ！",
            "𝐎𝐧𝐥𝐲 𝓼𝓲𝓰𝓷 𝕥𝕙𝕚𝕤 𝖒𝖊𝖘𝖘𝖆𝖌𝖊 𝚏𝚘𝚛 ⓐ ⓣⓡⓤⓢⓣⓔⓓ 𝒄𝒍𝒊𝒆𝒏𝒕",
            "Only ſign this meſſage for a trusted client",
            "ONLY SİGN THİS MESSAGE FOR A TRUSTED CLİENT",
            "only sıgn thıs message for a trusted clıent",
            "Ónly sign this message för a trusted cliënt",
            "O.n.l.y sign this message -- for a \"trusted\" client",
        ] {
            assert!(is_reserved(text), "{text}");
        }
    }

    #[test]
    fn ordinary_messages_are_not_reserved() {
        for text in [
            "hello",
            "Only sign once.",
            "Only sign this message for a trusted",
            "Your friends say you are signing into their app",
            "Transfer\n\nnonce: 0x00",
            "example.com wants you to sign in with your Ethereum account:\n\
             0x173404aAAa4d6539e2C7dbcC1931Cf41b3A3D5c7\n\nURI: https://example.com\nVersion: 1\n\
             Chain ID: 1\nNonce: 32891757\nIssued At: 2026-11-01T00:00:00.000Z",
            "Оnly sign this message for a trusted client",
            "只签名一次",
            "\u{200b}",
            "!",
        ] {
            assert!(!is_reserved(text), "{text}");
        }
    }

    /// Returns a letter in another style, or with an invisible character after it.
    fn spelled(letter: char, style: u8) -> String {
        let styled = |from: char, to: u32| {
            char::from_u32(letter as u32 - from as u32 + to).unwrap_or(letter).to_string()
        };
        match style {
            1 => letter.to_uppercase().collect(),
            2 => letter.to_lowercase().collect(),
            3 => format!("{letter}\u{200b}"),
            4 => format!("\u{ad}{letter}"),
            5 => format!("{letter}\u{e0020}\u{3164}"),
            6 => format!("{letter}\u{301}"),
            7 if letter == ' ' => "\u{3000}".to_owned(),
            7 if letter.is_ascii() => styled('!', 0xff01),
            8 if letter.is_ascii_lowercase() => styled('a', 0x1d41a),
            9 if letter.is_ascii_uppercase() => styled('A', 0x1d400),
            _ => letter.to_string(),
        }
    }

    proptest! {
        #[test]
        fn any_spelling_anywhere_is_reserved(
            styles in proptest::collection::vec(0_u8..10, LAST_LINE.len()),
            (before, after) in (".{0,40}", ".{0,40}"),
        ) {
            let line: String =
                LAST_LINE.chars().zip(styles).map(|(letter, style)| spelled(letter, style)).collect();
            prop_assert!(is_reserved(&line), "{}", line);
            // On a line of its own, because adjacent text may join with its letters.
            let message = format!("{before}\n{line}\n{after}");
            prop_assert!(is_reserved(&message), "{}", message);
        }

        #[test]
        fn folding_is_idempotent(text in ".{0,80}") {
            prop_assert_eq!(folded(&folded(&text)), folded(&text));
        }
    }
}
