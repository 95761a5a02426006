//! The connector of the AWS clients: a `hyper` client with the TLS settings of all other clients.
//! A function thus has one set of TLS roots, and reads none from its disk at start.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector as TcpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tower::{BoxError, Service};

use crate::tls;

/// Timeout of a connection, TLS included. The SDK's own setting is ignored, because all clients
/// share one pool of connections.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

type Pool = Client<Bounded, SdkBody>;

/// One pool of connections, shared by all clients made with it.
#[derive(Clone, Debug)]
pub struct Connector(SharedHttpConnector);

impl Connector {
    pub(super) fn new() -> Self {
        Self(SharedHttpConnector::new(Pooled::default()))
    }

    /// Makes a connector that sends requests by another one, such as one without a network.
    #[must_use]
    pub fn of(other: impl HttpConnector + 'static) -> Self {
        Self(SharedHttpConnector::new(other))
    }

    /// Returns the pool of this process. A function opens one connection to a service, however many
    /// of its parts make clients from the environment.
    #[must_use]
    pub fn of_process() -> Self {
        static POOL: OnceLock<Connector> = OnceLock::new();
        POOL.get_or_init(Self::new).clone()
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.0.call(request)
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

/// The pool, made with the first call.
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
            // Any connection failure may be temporary.
            let answer =
                pool.request(request).await.map_err(|error| ConnectorError::io(error.into()))?;
            // The body stays a stream, because the SDK's trace log prints bodies in memory,
            // including data keys.
            HttpResponse::try_from(answer.map(SdkBody::from_body_1_x))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// Opens a connection within [`CONNECT_TIMEOUT`].
#[derive(Clone)]
struct Bounded(HttpsConnector<TcpConnector>);

impl Service<Uri> for Bounded {
    type Response = <HttpsConnector<TcpConnector> as Service<Uri>>::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, address: Uri) -> Self::Future {
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, self.0.call(address));
        Box::pin(async { connected.await? })
    }
}

fn made() -> Result<Pool, rustls::Error> {
    let mut tcp = TcpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    // Plain HTTP is for a local stack; AWS's own addresses use https.
    let https = HttpsConnectorBuilder::new().with_tls_config(tls::client_config()?).https_or_http();
    Ok(Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .build(Bounded(https.enable_http1().wrap_connector(tcp))))
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::time::Instant;

    use super::{CONNECT_TIMEOUT, SdkBody};
    use crate::aws::Aws;

    /// Sends the same response to every request of a connection.
    fn answer(stream: TcpStream) {
        let mut lines = BufReader::new(stream);
        let (mut line, mut length) = (String::new(), 0);
        while lines.read_line(&mut line).unwrap() > 0 {
            let header = line.trim().to_lowercase();
            if let Some(text) = header.strip_prefix("content-length:") {
                length = text.trim().parse().unwrap();
            }
            if header.is_empty() {
                lines.read_exact(&mut vec![0; length]).unwrap();
                let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
                lines.get_mut().write_all(answer.as_bytes()).unwrap();
            }
            line.clear();
        }
    }

    #[tokio::test]
    async fn clients_of_one_connector_share_connections() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let connections = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&connections);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                counted.fetch_add(1, Ordering::SeqCst);
                std::thread::spawn(|| answer(stream.unwrap()));
            }
        });
        let aws = Aws::local(&url, &url, &url);
        assert_eq!(connections.load(Ordering::SeqCst), 0, "no connection before a call");
        for _ in 0..2 {
            aws.dynamodb().list_tables().send().await.unwrap();
            aws.kms().list_aliases().send().await.unwrap();
        }
        assert_eq!(connections.load(Ordering::SeqCst), 1);
    }

    /// A server that accepts a connection and then stays silent is subject to the connection
    /// timeout.
    #[tokio::test(start_paused = true)]
    async fn silent_handshake_ends_with_the_connect_timeout() {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}", silent.local_addr().unwrap());
        let request = http::Request::get(url).body(SdkBody::empty()).unwrap();
        let begun = Instant::now();
        let error = super::made().unwrap().request(request).await.unwrap_err();
        assert!(error.is_connect(), "{error:?}");
        assert_eq!(begun.elapsed().as_secs(), CONNECT_TIMEOUT.as_secs());
    }
}
