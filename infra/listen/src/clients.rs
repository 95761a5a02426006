//! Serves untrusted clients: limits the duration and the number of connections.
//!
//! In AWS, API Gateway does this: it invokes a function after it has read the whole request.

use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use domain::clock::Clock;
use domain::random::Random;
use http::StatusCode;
use http::header::CONTENT_LENGTH;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use shared::api::error::ApiError;
use shared::api::middleware::MAX_BODY_BYTES;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio::time::{Instant, Sleep, sleep, timeout};
use tower::{ServiceExt, service_fn};

use crate::hosts::Callers;
use crate::serve::{Listener, Stop};

/// Maximum size of a request's head, including the first line: twice the limit of API Gateway.
const MAX_HEAD_BYTES: usize = 20 * 1024;

/// Maximum number of headers of a request.
const MAX_HEADERS: usize = 64;

/// Wait after a failed accept, for example when no file descriptor is free.
const RETRY_DELAY: Duration = Duration::from_millis(50);

/// Limits of clients.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClientBounds {
    /// Timeout for the head of a request, counted from the previous response.
    pub head: Duration,
    /// Timeout for the body of a request.
    pub body: Duration,
    /// Timeout for a client that does not read its response.
    pub unread: Duration,
    /// Maximum number of connections. Further connections wait.
    pub connections: usize,
}

impl Default for ClientBounds {
    fn default() -> Self {
        let patience = Duration::from_secs(10);
        Self { head: patience, body: patience, unread: patience, connections: 1_024 }
    }
}

/// The address that a request comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Peer(pub IpAddr);

/// Serves clients until `stop`, and completes requests in progress.
pub fn serve_clients(
    listener: Listener,
    router: Router,
    bounds: ClientBounds,
    (clock, random): (Clock, Random),
    stop: Stop,
) -> JoinHandle<()> {
    let (listener, router) = listener.guard(router, Callers::Clients(clock, random));
    tokio::spawn(async move {
        let places = Arc::new(Semaphore::new(bounds.connections));
        let mut stopped = pin!(stop.clone().wait());
        loop {
            let taken = async {
                let place = places.clone().acquire_owned().await;
                (place, listener.accept().await)
            };
            let (place, accepted) = tokio::select! {
                taken = taken => taken,
                () = &mut stopped => break,
            };
            match (place, accepted) {
                (Ok(place), Ok((stream, peer))) => {
                    let served = (router.clone(), Peer(peer.ip()));
                    tokio::spawn(connection(stream, served, bounds, stop.clone(), place));
                }
                (Ok(_), Err(error)) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    sleep(RETRY_DELAY).await;
                }
                (Err(_), _) => break,
            }
        }
        // Every connection releases its permit when it ends.
        let all = u32::try_from(bounds.connections).unwrap_or(u32::MAX);
        let _ = places.acquire_many(all).await;
    })
}

async fn connection(
    stream: TcpStream,
    (router, peer): (Router, Peer),
    bounds: ClientBounds,
    stop: Stop,
    _place: OwnedSemaphorePermit,
) {
    let stream = TokioIo::new(Unread::new(stream, bounds.unread));
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(bounds.head)
            .max_headers(MAX_HEADERS)
            .max_header_size(MAX_HEAD_BYTES)
            .max_buf_size(2 * MAX_BODY_BYTES)
            .serve_connection(
                stream,
                TowerToHyperService::new(service_fn(
                    move |mut request: http::Request<Incoming>| {
                        request.extensions_mut().insert(peer);
                        to_its_end(router.clone(), request)
                    }
                ))
            )
    );
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.wait() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended");
    }
}

/// Serves one request in its own task, so that it completes even when the client disconnects, as a
/// Lambda function does. An aborted protocol run would cost the wallet a run slot.
async fn to_its_end(
    router: Router,
    request: http::Request<Incoming>,
) -> Result<Response, Infallible> {
    match tokio::spawn(router.oneshot(request.map(Body::new))).await {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(%error, "a request's task failed");
            Ok(StatusCode::INTERNAL_SERVER_ERROR.into_response())
        }
    }
}

/// Reads the whole body of a request.
///
/// # Errors
/// Returns an error when the body is too large, too slow or incomplete.
pub async fn whole(request: Request, within: Duration) -> Result<Request, ApiError> {
    let too_large = || ApiError::unreadable_body(StatusCode::PAYLOAD_TOO_LARGE);
    let (head, body) = request.into_parts();
    let declared = head.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    if declared.and_then(|length| length.parse().ok()).is_some_and(|it: usize| it > MAX_BODY_BYTES)
    {
        return Err(too_large());
    }
    match timeout(within, to_bytes(body, MAX_BODY_BYTES)).await {
        Ok(Ok(body)) => Ok(Request::from_parts(head, Body::from(body))),
        Ok(Err(error)) if is_too_large(&error) => Err(too_large()),
        Ok(Err(_)) => Err(ApiError::unreadable_body(StatusCode::BAD_REQUEST)),
        Err(_) => Err(ApiError::request_timeout()),
    }
}

fn is_too_large(error: &axum::Error) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        if error.is::<http_body_util::LengthLimitError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// A stream with a write timeout: it fails when the peer does not read.
struct Unread {
    stream: TcpStream,
    bound: Duration,
    /// Runs while data waits to be written.
    until: Option<Pin<Box<Sleep>>>,
}

impl Unread {
    const fn new(stream: TcpStream, bound: Duration) -> Self {
        Self { stream, bound, until: None }
    }

    fn bounded<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.until = None;
            return written;
        }
        let deadline = Instant::now() + self.bound;
        let until = self.until.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        until.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Unread {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Unread {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.bounded(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.bounded(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
