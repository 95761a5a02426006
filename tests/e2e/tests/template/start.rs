//! The functions, started in this process as their `main` starts them: from an environment.

use axum::Router;
use cosigner::Cosigner;
use shared::clock::Clock;
use shared::config::Env;
use shared::random::Random;
use shared::store::Store;
use shared::wallets::Custody;

/// A function that runs.
pub(crate) enum Started {
    /// An endpoint's routes.
    Endpoint(Router),
    /// Party 2.
    Cosigner(Cosigner),
}

/// Starts the function of a folder.
pub(crate) fn start(folder: &str, env: &Env<'_>, clock: Clock) -> Result<Started, String> {
    let random = Random::system();
    let router = match folder {
        "cosigner" => {
            let cosigner = Cosigner::from_env(env, clock, random);
            return cosigner.map(Started::Cosigner).map_err(|error| error.to_string());
        }
        "create-wallet" => Custody::from_env(env, clock, random).map(create_wallet::router),
        "sign-message" => Custody::from_env(env, clock, random).map(sign_message::router),
        "get-wallet" => Store::from_env(env).map(get_wallet::router),
        "health" => Ok(health::router()),
        "exchange-guidance" => Ok(exchange_guidance::router()),
        "register-aster" => {
            let router = register_aster::router_from_env(env, clock, random);
            return router.map(Started::Endpoint).map_err(|error| error.to_string());
        }
        "register-hyperliquid" => {
            let router = register_hyperliquid::router_from_env(env, clock, random);
            return router.map(Started::Endpoint).map_err(|error| error.to_string());
        }
        other => panic!("say in this file how functions/{other} starts"),
    };
    router.map(Started::Endpoint).map_err(|error| error.to_string())
}

/// An endpoint's routes, from the environment of Lambda and of the template.
pub(crate) fn endpoint(folder: &str, env: &Env<'_>, clock: Clock) -> Router {
    match start(folder, env, clock) {
        Ok(Started::Endpoint(router)) => router,
        Ok(Started::Cosigner(_)) => panic!("{folder} is no endpoint"),
        Err(error) => panic!("{folder}: {error}"),
    }
}

/// What Lambda itself sets, with `who` in place of the role's access key: a call is signed with
/// its name, so that it is known whose it is.
pub(crate) fn set_by_lambda<'a>(name: &str, who: &'a str) -> Option<&'a str> {
    match name {
        "AWS_ACCESS_KEY_ID" => Some(who),
        "AWS_SECRET_ACCESS_KEY" | "AWS_SESSION_TOKEN" => Some("test"),
        "AWS_REGION" => Some(crate::cloudformation::REGION),
        _ => None,
    }
}
