//! Listening on loopback.

use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::StartError;

/// Tells every server to stop.
#[derive(Clone, Debug)]
pub(crate) struct Stop(watch::Receiver<bool>);

impl Stop {
    pub(crate) fn new() -> (watch::Sender<bool>, Self) {
        let (sender, receiver) = watch::channel(false);
        (sender, Self(receiver))
    }

    /// Returns when it is time, also when the one who would say so is gone.
    pub(crate) async fn wait(mut self) {
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}

/// Binds a port of loopback; 0 takes any.
pub(crate) async fn bind(what: &'static str, port: u16) -> Result<TcpListener, StartError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|cause| StartError::Port {
        what,
        port,
        cause,
    })
}

/// Serves `router` until it is told to stop, and lets requests that run finish.
pub(crate) fn serve(listener: TcpListener, router: Router, stop: Stop) -> JoinHandle<()> {
    tokio::spawn(async move {
        let served = axum::serve(listener, router).with_graceful_shutdown(stop.wait()).await;
        if let Err(error) = served {
            tracing::error!(%error, "a server ended");
        }
    })
}

/// The URL of what listens there.
pub(crate) fn url(listener: &TcpListener) -> Result<String, StartError> {
    let address: SocketAddr = listener
        .local_addr()
        .map_err(|error| StartError::Part { what: "a listener", cause: error.to_string() })?;
    Ok(format!("http://{address}"))
}
