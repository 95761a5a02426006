//! An exchange that means harm: what it sends is bounded, and what it asks for is not done.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::{Answer, Http, SendError};

/// Answers every call with these bytes, of which the last part is repeated until nobody listens.
/// Each call's first line is told.
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
    (Http::new(&base, "test", 10_000), told)
}

/// In a runtime of its own, as the clients' futures want one with I/O.
fn get(http: &Http) -> Result<Answer, SendError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(http.get("/x", "a=1"))
}

fn too_large(answer: &Result<Answer, SendError>) -> bool {
    matches!(answer, Err(SendError::Broken(text)) if text == "the answer is too large")
}

#[test]
fn an_answer_is_read_up_to_its_bound_whatever_length_it_declares() {
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
fn a_body_without_an_end_is_cut_off() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned();
    let (http, _told) = exchange(chunked, b"4\r\naaaa\r\n", usize::MAX);
    assert!(too_large(&get(&http)));
    let until_closed = "HTTP/1.1 200 OK\r\n\r\n".to_owned();
    let (http, _told) = exchange(until_closed, b"a", usize::MAX);
    assert!(too_large(&get(&http)));
}

#[test]
fn a_body_that_breaks_off_is_no_answer() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n".to_owned();
    let (http, _told) = exchange(head, b"{}", 1);
    assert!(matches!(get(&http), Err(SendError::Broken(_))));
}

#[test]
fn a_redirect_is_an_answer_and_is_not_followed() {
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
    // It could have been.
    assert_eq!(get(&other).unwrap().status, 200);
    assert_eq!(reached.recv().unwrap(), "GET /x?a=1 HTTP/1.1");
}

/// Nothing is unpacked, so nothing grows: packed bytes are taken as they are, and are no JSON.
#[test]
fn a_packed_body_is_not_unpacked() {
    const PACKED: &[u8] =
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\xae\x05\x00C\xbf\xa6\xa3\x02\x00\x00\x00";
    let length = PACKED.len();
    let head =
        format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {length}\r\n\r\n");
    let (http, _told) = exchange(head, PACKED, 1);
    assert_eq!(get(&http).unwrap().body, String::from_utf8_lossy(PACKED));
}
