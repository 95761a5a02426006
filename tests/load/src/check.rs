//! Checks after the run that every acknowledged wallet and credential exists and works.

use std::time::Duration;

use domain::eth::{Address, AgentKey};
use domain::ids::{Exchange, Tenant};
use domain::intent::HyperliquidChain;
use hyperdex_client::State;
use hyperdex_local::proof;
use serde_json::{Value, json};
use shared::store::{CredentialRecord, CredentialState, WalletView};
use shared::wallets::Custody;

use crate::client::{Client, Known, Secret, to_client};
use crate::error::{LoadError, failed};
use crate::progress::Progress;
use crate::reply::Reply;
use crate::server::Server;

/// The number of retries of a call with a retryable response, and the wait between them.
const RETRIES: usize = 120;
const WAIT: Duration = Duration::from_millis(500);

/// Checks every wallet and every credential, prints the findings, and returns the number of lost
/// ones.
pub(crate) async fn everything(
    mut clients: Vec<Client>,
    server: &Server,
    say: fn(&str),
) -> Result<usize, LoadError> {
    let custody = server.custody().await;
    let (mut wallets, mut keys, mut none) = (0, 0, 0);
    let mut lost = Vec::new();
    let total = clients.iter().map(|client| client.wallets.len() as u64).sum();
    let progress = Progress::new("checked wallets", total, say);
    for client in &mut clients {
        for index in 0..client.wallets.len() {
            wallets += 1;
            progress.step();
            if !signs(client, index).await {
                lost.push(format!("{} no longer signs", client.wallets[index].user));
            }
            for exchange in Exchange::ALL {
                let known = client.wallets[index].known[&exchange].clone();
                let found = match settle(client, index, exchange, &known).await {
                    Ok(()) => {
                        check_credential(client, index, exchange, &known, server, &custody).await
                    }
                    Err(cause) => Err(cause),
                };
                match found {
                    Ok(true) => keys += 1,
                    Ok(false) => none += 1,
                    Err(cause) => {
                        let user = &client.wallets[index].user;
                        lost.push(format!("{user} {exchange}: {cause} (expected: {known})"));
                    }
                }
            }
        }
        lost.append(&mut client.broken);
    }
    progress.end();
    for line in &lost {
        say(&format!("LOST {line}"));
    }
    say(&format!(
        "{wallets} wallets sign, {keys} credentials work, {none} are deleted on both sides; {} lost",
        lost.len()
    ));
    Ok(lost.len())
}

async fn signs(client: &mut Client, index: usize) -> bool {
    for _ in 0..RETRIES {
        let broken = client.broken.len();
        let answered = client.sign(index).await;
        if client.broken.len() > broken {
            return false;
        }
        if answered {
            return true;
        }
        tokio::time::sleep(WAIT).await;
    }
    false
}

/// Retries interrupted operations as a client would, until none is in progress.
async fn settle(
    client: &Client,
    index: usize,
    exchange: Exchange,
    known: &Known,
) -> Result<(), String> {
    if *known == Known::None {
        return Ok(());
    }
    let user = client.wallets[index].user.as_str();
    let client_exchange = to_client(exchange);
    let mut last = String::new();
    for _ in 0..RETRIES {
        let reply = client.call("settle", client.api.api_key(&client_exchange, user)).await;
        let state = reply.as_ref().and_then(|reply| reply.value.as_ref()).map(|key| &key.state);
        let (end, is_over) = match (&reply, state) {
            (_, Some(State::Active)) => return Ok(()),
            (_, Some(State::Rotating)) => ended(client.replace("settle", exchange, user).await),
            (_, Some(State::Revoking)) => {
                let asked = client.api.delete_api_key(&client_exchange, user);
                ended(client.call("settle", asked).await)
            }
            (_, Some(State::Pending)) => ended(client.make("settle", exchange, user).await),
            (Some(Reply { status: 404, .. }), _) if *known == Known::Unsure => return Ok(()),
            (Some(Reply { status: 404, .. }), _) => {
                return Err("the credential is missing".to_owned());
            }
            _ => (None, false),
        };
        last = end.unwrap_or(last);
        if !is_over {
            tokio::time::sleep(WAIT).await;
        }
    }
    Err(format!("the operation does not finish: {last}"))
}

/// Returns how a call ended, and whether the response is final.
fn ended<T>(reply: Option<Reply<T>>) -> (Option<String>, bool) {
    let is_over = reply.as_ref().is_some_and(|reply| !reply.is_retryable());
    (reply.map(|reply| reply.end()), is_over)
}

/// Returns true if there is a credential, which must work and exist at the exchange too.
async fn check_credential(
    client: &Client,
    index: usize,
    exchange: Exchange,
    known: &Known,
    server: &Server,
    custody: &Custody,
) -> Result<bool, String> {
    let wallet = &client.wallets[index];
    let name = wallet.user.parse().map_err(|_| "the user id is invalid".to_owned())?;
    let view = custody.store.find(&Tenant::local(), &name).await.map_err(|e| e.to_string())?;
    let view = view.ok_or("the wallet is missing")?;
    let agents = server.agents(wallet.address, exchange);
    let Some(record) = view.credential(exchange) else {
        return match (known, agents.as_slice()) {
            (Known::Key { .. }, _) => Err("the record is missing".to_owned()),
            (_, []) => Ok(false),
            (_, agents) => Err(format!("agents without a record: {}", listed(agents))),
        };
    };
    if *known == Known::None || record.state != CredentialState::Active {
        return Err(format!("the state is {}", json!(record.state)));
    }
    if let Known::Key { agent: Some(delivered), secret } = known {
        if record.agent != *delivered {
            return Err(format!("the agent is {}", record.agent));
        }
        if let Some(Secret(secret)) = secret {
            let bytes = secret.strip_prefix("0x").and_then(|text| hex::decode(text).ok());
            let key = bytes.and_then(|bytes| AgentKey::from_bytes(&bytes).ok());
            if key.is_none_or(|key| key.address() != *delivered) {
                return Err("the delivered key belongs to another agent".to_owned());
            }
        }
    }
    let mut own = vec![record.agent];
    own.extend(record.retiring.iter().map(|agent| agent.agent));
    if !agents.contains(&record.agent) || agents.iter().any(|agent| !own.contains(agent)) {
        return Err(format!("the exchange lists {}", listed(&agents)));
    }
    works(client, &view, record, exchange, server, custody).await.map_err(|e| e.to_string())?;
    Ok(true)
}

/// Checks that the exchange accepts a signature of the stored key.
async fn works(
    client: &Client,
    view: &WalletView,
    record: &CredentialRecord,
    exchange: Exchange,
    server: &Server,
    custody: &Custody,
) -> Result<(), LoadError> {
    let context = CredentialRecord::context(&view.wallet, exchange, record.agent);
    let secret = custody.envelope.open(&context, &record.sealed).await.map_err(failed)?;
    let agent = AgentKey::from_bytes(&secret).map_err(failed)?;
    let request = match exchange {
        Exchange::Hyperliquid => {
            let nonce = server.clock.now_ms();
            let body = proof::hyperliquid_noop(HyperliquidChain::Mainnet, &agent, nonce);
            client
                .http
                .post(format!("{}exchange", server.hyperliquid_url))
                .header("content-type", "application/json")
                .body(body.map_err(failed)?)
        }
        Exchange::Lighter => unreachable!("no wallet is registered there"),
        Exchange::Aster => {
            let nonce = server.clock.now_us();
            let path = proof::aster_balance(1666, &agent, view.wallet.address, nonce);
            client.http.get(format!("{}{}", server.aster_url, path.map_err(failed)?))
        }
    };
    let response = request.send().await.map_err(|error| failed(error.without_url()))?;
    let status = response.status();
    let answer: Value =
        serde_json::from_slice(&response.bytes().await.map_err(failed)?).unwrap_or_default();
    if status.is_success() && (exchange == Exchange::Aster || answer["status"] == "ok") {
        Ok(())
    } else {
        Err(failed(format!("the exchange refuses the key: {status} {answer}")))
    }
}

fn listed(agents: &[Address]) -> String {
    agents.iter().map(Address::to_string).collect::<Vec<_>>().join(", ")
}
