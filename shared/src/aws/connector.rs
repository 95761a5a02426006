//! How the AWS clients send: by the HTTP client that everything else sends with. So a function has
//! one HTTP stack and one set of TLS roots, and reads neither from its disk when it starts.

use std::time::Duration;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;

use crate::http_client::LazyClient;

/// How long a connection may take. The SDK's own setting of it is not asked for: there is one pool
/// of connections for all clients.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// One pool of connections, for all clients that are made with it.
#[derive(Clone, Debug)]
pub(super) struct Connector(LazyClient);

impl Connector {
    pub(super) fn new() -> Self {
        Self(LazyClient::new(CONNECT_TIMEOUT, None))
    }
}

impl HttpClient for Connector {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let lazy = self.0.clone();
        HttpConnectorFuture::new(async move {
            let client = lazy.get().map_err(user)?;
            let request = request.try_into_http1x().map_err(user)?.map(reqwest::Body::wrap);
            let request = reqwest::Request::try_from(request).map_err(user)?;
            let answer = client.execute(request).await.map_err(not_answered)?;
            // The body stays a stream: one in memory is in the SDK's trace log, data keys and all.
            let answer = http::Response::<reqwest::Body>::from(answer);
            HttpResponse::try_from(answer.map(SdkBody::from_body_1_x))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// What no repetition would mend.
fn user(error: impl Into<BoxError>) -> ConnectorError {
    ConnectorError::user(error.into())
}

/// What the SDK may repeat: no answer in time, and a connection that could not be made or broke.
fn not_answered(error: reqwest::Error) -> ConnectorError {
    // Addresses of AWS hold no secret, but the log has no use for them.
    let error = error.without_url();
    if error.is_timeout() {
        ConnectorError::timeout(error.into())
    } else if error.is_builder() {
        user(error)
    } else {
        ConnectorError::io(error.into())
    }
}
