//! How the AWS clients send: over a client of `hyper`, with the TLS that everything else has. So a
//! function has one set of TLS roots, and reads none from its disk when it starts.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector as TcpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::http_client::{HttpSetupError, tls};

/// How long a connection may take. The SDK's own setting of it is not asked for: there is one pool
/// of connections for all clients.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

type Pool = Client<HttpsConnector<TcpConnector>, SdkBody>;

/// One pool of connections, for all clients that are made with it.
#[derive(Clone)]
pub(super) struct Connector(SharedHttpConnector);

impl Connector {
    pub(super) fn new() -> Self {
        Self(SharedHttpConnector::new(Pooled::default()))
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector")
    }
}

impl HttpClient for Connector {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        self.0.clone()
    }
}

/// The pool, which is made with the first call.
#[derive(Default, Debug)]
struct Pooled(Arc<OnceLock<Pool>>);

impl HttpConnector for Pooled {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let pool = self.0.clone();
        HttpConnectorFuture::new(async move {
            let pool = match pool.get() {
                Some(pool) => pool,
                None => {
                    let made = made().map_err(|error| ConnectorError::user(error.into()))?;
                    pool.get_or_init(|| made)
                }
            };
            let request =
                request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
            // Whatever breaks a connection, or keeps it from being made, may mend itself.
            let answer =
                pool.request(request).await.map_err(|error| ConnectorError::io(error.into()))?;
            // The body stays a stream: one in memory is in the SDK's trace log, data keys and all.
            HttpResponse::try_from(answer.map(SdkBody::from_body_1_x))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

fn made() -> Result<Pool, HttpSetupError> {
    let mut tcp = TcpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
    // Plain HTTP is for a local stack: AWS's own addresses are https.
    let https = HttpsConnectorBuilder::new().with_tls_config(tls()?).https_or_http();
    Ok(Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .build(https.enable_http1().wrap_connector(tcp)))
}
