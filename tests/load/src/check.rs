//! What must be true when the clients have ended: what was acknowledged is there, and works.

use std::time::Duration;

use domain::eth::{Address, AgentKey};
use domain::ids::{Exchange, Tenant};
use domain::intent::HyperliquidChain;
use hyperdex_client::State;
use hyperdex_local::proof;
use serde_json::{Value, json};
use shared::store::{CredentialRecord, CredentialState, WalletView};
use shared::wallets::Custody;

use crate::client::{Client, Known, Secret, there};
use crate::error::{LoadError, failed};
use crate::progress::Progress;
use crate::reply::Reply;
use crate::server::Server;

/// How often a call is repeated that is answered "again, later", and how long is waited between.
const REPEATS: usize = 120;
const WAIT: Duration = Duration::from_millis(500);

/// Looks at every wallet and every credential; says what was found, and how much was lost.
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
                lost.push(format!("{} does not sign any more", client.wallets[index].user));
            }
            for exchange in Exchange::ALL {
                let known = client.wallets[index].known[&exchange].clone();
                let found = match settle(client, index, exchange, &known).await {
                    Ok(()) => look(client, index, exchange, &known, server, &custody).await,
                    Err(cause) => Err(cause),
                };
                match found {
                    Ok(true) => keys += 1,
                    Ok(false) => none += 1,
                    Err(cause) => {
                        let user = &client.wallets[index].user;
                        lost.push(format!(
                            "{user} {exchange}: {cause} (the client knows: {known})"
                        ));
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
        "{wallets} wallets sign, {keys} credentials work, {none} are gone here and there; {} lost",
        lost.len()
    ));
    Ok(lost.len())
}

async fn signs(client: &mut Client, index: usize) -> bool {
    for _ in 0..REPEATS {
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

/// Repeats what was interrupted, as a client would, until nothing is on its way.
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
    let exchange_there = there(exchange);
    let mut last = String::new();
    for _ in 0..REPEATS {
        let reply = client.call("settle", client.api.api_key(&exchange_there, user)).await;
        let state = reply.as_ref().and_then(|reply| reply.value.as_ref()).map(|key| &key.state);
        let (end, is_over) = match (&reply, state) {
            (_, Some(State::Active)) => return Ok(()),
            (_, Some(State::Rotating)) => ended(client.replace("settle", exchange, user).await),
            (_, Some(State::Revoking)) => {
                let asked = client.api.delete_api_key(&exchange_there, user);
                ended(client.call("settle", asked).await)
            }
            (_, Some(State::Pending)) => ended(client.make("settle", exchange, user).await),
            (Some(Reply { status: 404, .. }), _) if *known == Known::Unsure => return Ok(()),
            (Some(Reply { status: 404, .. }), _) => return Err("it is gone".to_owned()),
            _ => (None, false),
        };
        last = end.unwrap_or(last);
        if !is_over {
            tokio::time::sleep(WAIT).await;
        }
    }
    Err(format!("it does not come to an end: {last}"))
}

/// How a call ended, and whether that is its last word.
fn ended<T>(reply: Option<Reply<T>>) -> (Option<String>, bool) {
    let is_over = reply.as_ref().is_some_and(|reply| !reply.is_for_now());
    (reply.map(|reply| reply.end()), is_over)
}

/// Whether there is a credential, which then works; here and on the exchange.
async fn look(
    client: &Client,
    index: usize,
    exchange: Exchange,
    known: &Known,
    server: &Server,
    custody: &Custody,
) -> Result<bool, String> {
    let wallet = &client.wallets[index];
    let name = wallet.user.parse().map_err(|_| "the name is none".to_owned())?;
    let view = custody.store.find(&Tenant::local(), &name).await.map_err(|e| e.to_string())?;
    let view = view.ok_or("the wallet is gone")?;
    let agents = server.agents(wallet.address, exchange);
    let Some(record) = view.credential(exchange) else {
        return match (known, agents.as_slice()) {
            (Known::Key { .. }, _) => Err("its record is gone".to_owned()),
            (_, []) => Ok(false),
            (_, agents) => Err(format!("agents without a record: {}", listed(agents))),
        };
    };
    if *known == Known::None || record.state != CredentialState::Active {
        return Err(format!("it is {}", json!(record.state)));
    }
    if let Known::Key { agent: Some(told), secret } = known {
        if record.agent != *told {
            return Err(format!("the agent is {}", record.agent));
        }
        if let Some(Secret(secret)) = secret {
            let bytes = secret.strip_prefix("0x").and_then(|text| hex::decode(text).ok());
            let key = bytes.and_then(|bytes| AgentKey::from_bytes(&bytes).ok());
            if key.is_none_or(|key| key.address() != *told) {
                return Err("the key that was handed out is another".to_owned());
            }
        }
    }
    let mut ours = vec![record.agent];
    ours.extend(record.retiring.iter().map(|agent| agent.agent));
    if !agents.contains(&record.agent) || agents.iter().any(|agent| !ours.contains(agent)) {
        return Err(format!("the exchange knows {}", listed(&agents)));
    }
    works(client, &view, record, exchange, server, custody).await.map_err(|e| e.to_string())?;
    Ok(true)
}

/// The exchange takes what the stored key signs.
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
        Err(failed(format!("the exchange does not take its key: {status} {answer}")))
    }
}

fn listed(agents: &[Address]) -> String {
    agents.iter().map(Address::to_string).collect::<Vec<_>>().join(", ")
}
