//! Commands that run until they are stopped: the local stack and the console over a deployment.

use domain::clock::Clock;
use domain::intent::HyperliquidChain;
use domain::random::Random;
use hyperdex_console::ConsoleError;
use hyperdex_console::operator::{self, ConsoleOptions};
use hyperdex_local::keys::KeyFile;
use hyperdex_local::{Options, Port, Stack, StartError};
use shared::exchanges::lighter::config::network_of_chain;

use crate::terminal::say;

/// Runs the local stack.
pub(crate) async fn serve(options: Options) -> Result<(), StartError> {
    let (data, simulated) = (
        options.data_dir.display().to_string(),
        [
            options.hyperliquid.url.is_none(),
            options.aster.url.is_none(),
            options.lighter.url.is_none(),
        ],
    );
    let keys = KeyFile::new(&options.data_dir).list()?.len();
    let loopback = options.ip.is_loopback();
    let external = options.engines.is_some();
    let chains = [
        options.hyperliquid.chain,
        options.aster.chain,
        network_of_chain(options.lighter.chain_id),
    ];
    let ports = options.ports;
    let mut stack = Stack::start(options).await?;
    let kind = |simulated, chain: HyperliquidChain| {
        let what = if simulated { "simulator" } else { "external" };
        format!("{what}, {}", chain.as_str())
    };
    say("HyperDEX Keys, local stack.");
    say(if loopback {
        "All parts listen on loopback only.\n"
    } else {
        "EXPOSED: anyone who can reach these ports can use every wallet.\n"
    });
    say(&format!("  API          {}", stack.api));
    say(&format!("  console      {}/", stack.api));
    let engine = if external { "  (external)" } else { "" };
    say(&format!("  DynamoDB     {}{engine}", stack.dynamodb));
    say(&format!("  KMS          {}{engine}", stack.kms));
    say(&format!("  Lambda       {}  (cosigner, in its own process)", stack.lambda));
    say(&format!("  SQS          {}", stack.sqs));
    say(&format!("  Hyperliquid  {}  ({})", stack.hyperliquid, kind(simulated[0], chains[0])));
    say(&format!("  Aster        {}  ({})", stack.aster, kind(simulated[1], chains[1])));
    say(&format!("  Lighter      {}  ({})", stack.lighter, kind(simulated[2], chains[2])));
    say(&format!("  chains       {}<chain id>  (simulator)", stack.chains));
    say(&format!("  data         {data}"));
    say(&match keys {
        0 => "  Tenant keys  none: every caller is the tenant local\n".to_owned(),
        some => format!("  Tenant keys  {some}\n"),
    });
    if !stack.has_recovery_keys {
        say(
            "  NO RECOVERY KEY: a lost file or key ends all wallets. See `hyperdex recovery keygen`.\n",
        );
    }
    if let Some(cause) = &stack.webhooks_off {
        say(&format!("  Webhooks are disabled: the external DynamoDB has no stream ({cause})."));
    }
    for (name, simulated, port, url) in [
        ("Hyperliquid", simulated[0], ports.hyperliquid, &stack.hyperliquid),
        ("Aster", simulated[1], ports.aster, &stack.aster),
        ("Lighter", simulated[2], ports.lighter, &stack.lighter),
    ] {
        match (port, url.port()) {
            (Port::Preferred(wanted), Some(taken)) if simulated && wanted != taken => {
                say(&format!("  Port {wanted} is in use: {name}'s simulator listens on {taken}."));
            }
            _ => {}
        }
    }
    let json = "-H 'Content-Type: application/json' -H 'X-API-KEY: local'";
    let api = &stack.api;
    say(&format!("  curl {api}/api/wallets {json} -d '{{\"userId\":\"user_123\"}}'"));
    for exchange in ["aster", "hyperliquid"] {
        say(&format!(
            "  curl {api}/api/trading/{exchange}/apikey {json} -d '{{\"walletIdOrAddress\":\"user_123\"}}'"
        ));
    }
    say("\nCtrl-C stops the stack.");
    let (scheduled, pump) = (stack.scheduled.clone(), stack.pump.clone());
    let result = tokio::select! {
        () = stop_signal() => Ok(()),
        never = scheduled.schedule() => match never {},
        never = pump.run() => match never {},
        error = stack.keep_cosigner(say) => Err(error),
    };
    stack.stop().await;
    result
}

/// Runs the console over a deployment.
pub(crate) async fn console(options: &ConsoleOptions) -> Result<(), ConsoleError> {
    let console = operator::start(options, Clock::system(), Random::system()).await?;
    say("HyperDEX Keys, read-only console over a deployment.");
    say("Anyone with this address can open the console until you stop this program.\n");
    say(&format!("  console  {}", console.address));
    say("\nCtrl-C stops the console.");
    stop_signal().await;
    Ok(())
}

/// Waits for Ctrl-C or the termination signal.
async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}
