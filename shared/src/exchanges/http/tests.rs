//! Tests against a malicious exchange: its responses are bounded, and its requests are not
//! followed.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use domain::clock::Clock;

use super::scripted::{Reply, serve};
use super::{Answer, Http, SendError, TransportError, date_ms, skew_ms};

/// Responds to every call with these bytes, and repeats the last part until the client
/// disconnects. Sends each call's first line to the receiver.
fn exchange(head: String, repeated: &'static [u8], times: usize) -> (Http, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut lines = BufReader::new(connection.try_clone().unwrap()).lines();
            let first = lines.next().unwrap().unwrap();
            lines.find(|line| line.as_ref().is_ok_and(String::is_empty));
            if tell.send(first).is_err() || connection.write_all(head.as_bytes()).is_err() {
                continue;
            }
            let mut left = times;
            while left > 0 && connection.write_all(repeated).is_ok() {
                left -= 1;
            }
            let _ = connection.shutdown(Shutdown::Write);
        }
    });
    (Http::new(&base, "test", 10_000, Clock::system()), told)
}

/// Runs in its own runtime, because the clients' futures require I/O.
fn get(http: &Http) -> Result<Answer, SendError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(http.get("/x", "a=1"))
}

fn too_large(answer: &Result<Answer, SendError>) -> bool {
    matches!(answer, Err(SendError::Broken(TransportError::TooLarge)))
}

#[test]
fn response_above_the_size_limit_is_rejected() {
    let ten_mb = 10 * 1024 * 1024;
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {ten_mb}\r\n\r\n");
    let (http, _told) = exchange(head, &[b'a'; 1024], ten_mb / 1024);
    assert!(too_large(&get(&http)));

    let fits = 256 * 1024;
    for (more, refused) in [(0, false), (1, true)] {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", fits + more);
        let (http, _told) = exchange(head, b"a", fits + more);
        let answer = get(&http);
        assert_eq!(too_large(&answer), refused, "{answer:?}");
        assert!(refused || answer.unwrap().body.len() == fits);
    }
}

#[test]
fn endless_body_is_rejected() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned();
    let (http, _told) = exchange(chunked, b"4\r\naaaa\r\n", usize::MAX);
    assert!(too_large(&get(&http)));
    let until_closed = "HTTP/1.1 200 OK\r\n\r\n".to_owned();
    let (http, _told) = exchange(until_closed, b"a", usize::MAX);
    assert!(too_large(&get(&http)));
}

#[test]
fn truncated_body_is_rejected() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n".to_owned();
    let (http, _told) = exchange(head, b"{}", 1);
    assert!(matches!(get(&http), Err(SendError::Broken(_))));
}

#[test]
fn redirect_is_not_followed() {
    let (other, reached) = exchange("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".into(), b"", 0);
    for status in [301, 302, 303, 307, 308] {
        let head = format!(
            "HTTP/1.1 {status} Elsewhere\r\nLocation: {}/stolen\r\nContent-Length: 0\r\n\r\n",
            other.base
        );
        let (http, _told) = exchange(head, b"", 0);
        assert_eq!(get(&http).unwrap().status, status);
    }
    assert!(reached.recv_timeout(Duration::from_millis(1)).is_err(), "the other host was called");
    // The other host was reachable.
    assert_eq!(get(&other).unwrap().status, 200);
    assert_eq!(reached.recv().unwrap(), "GET /x?a=1 HTTP/1.1");
}

/// Nothing is decompressed, so nothing grows: compressed bytes are taken as they are, and are not
/// JSON.
#[test]
fn compressed_body_is_not_decompressed() {
    const PACKED: &[u8] =
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\xae\x05\x00C\xbf\xa6\xa3\x02\x00\x00\x00";
    let length = PACKED.len();
    let head =
        format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {length}\r\n\r\n");
    let (http, _told) = exchange(head, PACKED, 1);
    assert_eq!(get(&http).unwrap().body, String::from_utf8_lossy(PACKED));
}

#[test]
fn date_header_accepts_the_rfc_9110_form_only() {
    let read = |text: &str| {
        let headers = [(http::header::DATE, http::HeaderValue::from_str(text).unwrap())];
        date_ms(&http::HeaderMap::from_iter(headers))
    };
    assert_eq!(read("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777_000));
    for text in ["", "now", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 CET"] {
        assert_eq!(read(text), None, "{text}");
    }
    assert_eq!(date_ms(&http::HeaderMap::new()), None);
}

#[test]
fn clock_skew_allows_for_rounding_and_transit() {
    // The exchange's second 100 lies between 100.4 and 100.6 of the local clock, or touches them.
    for (sent, received, skew) in [
        (100_400, 100_600, 0),
        (100_999, 101_300, 0),
        (99_000, 100_000, 0),
        (101_000, 101_100, 1),
        (170_999, 171_000, 70_000),
        (39_000, 40_000, -60_000),
    ] {
        assert_eq!(skew_ms(sent, received, 100_000), skew, "{sent} {received}");
    }
    assert_eq!(skew_ms(u64::MAX, u64::MAX, 0), i64::MAX);
    assert_eq!(skew_ms(0, 0, u64::MAX), -i64::MAX);
}

#[test]
fn ban_is_honoured_and_other_waits_are_bounded() {
    let answer = |status, retry_after_s, body: &str| Answer {
        status,
        retry_after_s,
        at_ms: 1_790_000_000_000,
        body: body.to_owned(),
    };
    let banned =
        |until: &str| format!(r#"{{"code":-1003,"msg":"Way too many; IP banned until {until}."}}"#);
    for (status, retry_after_s, body, wait_s) in [
        (429, None, String::new(), 30),
        (429, Some(7), String::new(), 7),
        (429, Some(u64::MAX), String::new(), 600),
        (418, None, String::new(), 120),
        (418, Some(7_200), String::new(), 7_200),
        (418, Some(u64::MAX), String::new(), 3 * 86_400),
        (418, None, banned("1790003600000"), 3_600),
        (429, None, banned("1790003600000"), 3_600),
        (418, Some(5), banned("1790003600000"), 3_600),
        (418, None, banned("1790000000000"), 1),
        (418, None, banned("9999999999999"), 3 * 86_400),
        (418, None, banned("99999999999999999999"), 120),
        (418, None, banned("tomorrow"), 120),
    ] {
        assert_eq!(answer(status, retry_after_s, &body).wait_s(30), wait_s, "{status} {body}");
    }
}

#[test]
fn block_text_is_plain_bounded_and_redacted() {
    let html = format!(
        "<HTML><HEAD><TITLE>ERROR</TITLE></HEAD><BODY><H1>403</H1>\u{202e}Request\nblocked 0x{} {}",
        "ab".repeat(65),
        "x".repeat(9_000)
    );
    let words = Answer::new(403, html).blocked_words();
    assert!(words.starts_with("HTTP 403: ERROR 403 Request blocked 0x(hidden) xxx"), "{words}");
    assert!(words.len() < 260, "{words}");
    assert_eq!(Answer::new(451, "").blocked_words(), "HTTP 451: ");
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap()
}

#[test]
fn list_may_exceed_the_usual_size_limit() {
    let length = 256 * 1024 + 1;
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
    for (max_bytes, refused) in [(length, false), (length - 1, true)] {
        let (http, told) = exchange(head.clone(), b"a", length);
        let answer = runtime().block_on(http.get_up_to("/x", "", max_bytes));
        assert_eq!(too_large(&answer), refused, "{answer:?}");
        assert_eq!(told.recv().unwrap(), "GET /x HTTP/1.1");
    }
}

#[test]
fn put_sends_its_body_and_content_type() {
    let (base, told) = serve(vec![Reply::Response(200, "{}".to_owned())]);
    let http = Http::new(&base, "test", 10_000, Clock::system());
    let answer = runtime().block_on(http.put("/x", "text/plain", "a=1".to_owned()));
    assert_eq!(answer.unwrap().status, 200);
    let received = told.recv().unwrap();
    assert_eq!(received.head[0], "PUT /x HTTP/1.1");
    assert_eq!(
        (received.header("content-type"), received.body.as_str()),
        (Some("text/plain"), "a=1")
    );
}

/// A connection that ends without a response may have delivered the request. It is sent once, on a
/// new connection and on one that was used before.
#[test]
fn request_is_never_sent_twice() {
    let ok = || Reply::Response(200, String::new());
    for (script, sent) in [(vec![Reply::Close, ok()], 1), (vec![ok(), Reply::Close, ok()], 2)] {
        let (base, told) = serve(script);
        let http = Http::new(&base, "test", 10_000, Clock::system());
        let answers = runtime().block_on(async {
            let mut answers = Vec::new();
            for _ in 0..sent {
                answers.push(http.post("/x", "text/plain", "order".to_owned()).await);
            }
            answers
        });
        assert!(matches!(answers.last(), Some(Err(SendError::Broken(_)))), "{answers:?}");
        assert_eq!(told.try_iter().count(), sent);
    }
}

#[test]
fn timeout_of_a_derived_client_applies() {
    let (base, told) = serve(vec![Reply::Silence, Reply::Response(200, String::new())]);
    let http = Http::new(&base, "test", 600_000, Clock::system());
    let hasty = http.with_timeout(50);
    let answer = runtime().block_on(hasty.post("/x", "text/plain", "order".to_owned()));
    assert!(matches!(answer, Err(SendError::NoAnswer(_))), "{answer:?}");
    assert_eq!(told.recv().unwrap().body, "order");
    assert_eq!(runtime().block_on(http.get("/y", "a=1")).unwrap().status, 200);
}
