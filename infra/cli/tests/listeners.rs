//! The ports of the running program, as the system lists them. Each port accepts only requests that
//! name it as the host. Ports for programs refuse all requests of web pages.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that cannot continue fails")]

mod running;

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use running::{Running, children, exchange, ports, program};

/// The parts whose ports the program prints.
const PARTS: [&str; 7] = ["API", "DynamoDB", "KMS", "Lambda", "SQS", "Hyperliquid", "Aster"];

/// Requests that some port serves, without the `Host` header.
const REQUESTS: [(&str, &str, &str); 8] = [
    ("GET", "/", ""),
    ("GET", "/api/wallets", ""),
    ("GET", "/console/data/wallets?ids=alice", ""),
    ("GET", "/nowhere", ""),
    ("GET", "/fapi/v3/time", ""),
    ("POST", "/", "X-Amz-Target: DynamoDB_20120810.ListTables\r\n"),
    ("POST", "/", "X-Amz-Target: TrentService.ListKeys\r\n"),
    (
        "OPTIONS",
        "/",
        "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: x-amz-target\r\n",
    ),
];

/// Returns all ports of the stack's processes, including those that it does not print.
fn all_ports(running: &Running) -> BTreeSet<u16> {
    let mut all = ports(running.child.id());
    for child in children(running.child.id()) {
        all.extend(ports(child));
    }
    let printed: BTreeSet<u16> = PARTS.iter().map(|part| port(running, part)).collect();
    assert_eq!(printed.len(), PARTS.len());
    assert!(all.is_superset(&printed), "{all:?} {printed:?}");
    all
}

fn port(running: &Running, part: &str) -> u16 {
    let url = running.url(part);
    url.trim_end_matches('/').rsplit(':').next().unwrap().parse().unwrap()
}

/// Sends a request with these headers, and returns the status and the whole response.
fn ask(port: u16, (method, path, own): (&str, &str, &str), headers: &str) -> (u16, String) {
    let body = if method == "POST" { "{}" } else { "" };
    let response = exchange(
        (Ipv4Addr::LOCALHOST, port),
        &format!(
            "{method} {path} HTTP/1.1\r\nConnection: close\r\n{headers}{own}\
             Content-Type: application/x-amz-json-1.0\r\nX-API-KEY: any\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        ),
    );
    let status = response.split(' ').nth(1).unwrap().parse().unwrap();
    (status, response)
}

/// Checks that the request is refused, and that the response has no data.
fn refused(port: u16, request: (&str, &str, &str), headers: &str) {
    let (status, response) = ask(port, request, headers);
    assert_eq!(status, 403, "{port} {request:?} {headers}: {response}");
    let lower = response.to_lowercase();
    for leak in ["access-control-", "alice", "hyperdex-wallets"] {
        assert!(!lower.contains(leak), "{port} {request:?} {headers}: {response}");
    }
}

#[test]
fn every_port_refuses_foreign_hosts() {
    let data = tempfile::tempdir().unwrap();
    let running = Running::start(data.path());
    assert_eq!(running.call("POST", "/api/wallets", r#"{"userId":"alice"}"#).0, 201);
    for port in all_ports(&running) {
        let other = port ^ 1;
        for request in REQUESTS {
            for host in [
                format!("Host: evil.test:{port}\r\n"),
                format!("Host: localhost.evil.test:{port}\r\n"),
                format!("Host: 127.0.0.1.evil.test:{port}\r\n"),
                format!("Host: 10.0.0.1:{port}\r\n"),
                format!("Host: 127.0.0.1:{other}\r\n"),
                format!("Host: 127.0.0.1:{port}\r\nHost: evil.test:{port}\r\n"),
                "Host: 127.0.0.1\r\n".to_owned(),
                "Host:\r\n".to_owned(),
                String::new(),
            ] {
                refused(port, request, &host);
            }
            for name in ["127.0.0.1", "localhost", "[::1]"] {
                let (status, response) = ask(port, request, &format!("Host: {name}:{port}\r\n"));
                assert_ne!(status, 403, "{port} {request:?} {name}: {response}");
            }
        }
    }
    // The same requests succeed for a caller that names the port.
    for (part, request, served) in [
        ("API", REQUESTS[1], "alice"),
        ("API", REQUESTS[2], "alice"),
        ("DynamoDB", REQUESTS[5], "hyperdex-wallets"),
        ("KMS", REQUESTS[6], "KeyArn"),
        ("Aster", REQUESTS[4], "serverTime"),
    ] {
        let port = port(&running, part);
        let (status, response) = ask(port, request, &format!("Host: localhost:{port}\r\n"));
        assert!(status == 200 && response.contains(served), "{part}: {response}");
    }
}

#[test]
fn every_port_refuses_foreign_pages() {
    let data = tempfile::tempdir().unwrap();
    let running = Running::start(data.path());
    assert_eq!(running.call("POST", "/api/wallets", r#"{"userId":"alice"}"#).0, 201);
    let api = port(&running, "API");
    for port in all_ports(&running) {
        let host = format!("Host: 127.0.0.1:{port}\r\n");
        for request in REQUESTS {
            for page in ["null", "http://evil.test", "https://127.0.0.1", "http://127.0.0.1:1"] {
                refused(port, request, &format!("{host}Origin: {page}\r\n"));
            }
            refused(port, request, &format!("{host}Sec-Fetch-Site: cross-site\r\n"));
            let own = format!("{host}Origin: http://127.0.0.1:{port}\r\n");
            if port == api {
                assert_ne!(ask(port, request, &own).0, 403, "{request:?}");
            } else {
                refused(port, request, &own);
            }
        }
    }
}

#[test]
fn allowed_host_reaches_only_the_api() {
    let data = tempfile::tempdir().unwrap();
    let allowed = ["--allowed-host", "stack", "--allowed-host", "dev.test:8080"];
    let running = Running::start_with(data.path(), &allowed);
    let api = port(&running, "API");
    for port in all_ports(&running) {
        for host in ["stack", "stack:9", "dev.test:8080"] {
            let headers = format!("Host: {host}\r\n");
            if port == api {
                assert_eq!(ask(port, REQUESTS[1], &headers).0, 200, "{host}");
                let page = format!("{headers}Origin: http://{host}\r\n");
                assert_eq!(ask(port, REQUESTS[1], &page).0, 200, "{host}");
                refused(port, REQUESTS[1], &format!("{headers}Origin: http://evil.test\r\n"));
            } else {
                refused(port, REQUESTS[1], &headers);
            }
        }
        refused(port, REQUESTS[1], &format!("Host: dev.test:{port}\r\n"));
    }
    let wrong = program().args(["--allowed-host", "*"]).output().unwrap();
    let said = String::from_utf8(wrong.stderr).unwrap();
    assert_eq!(wrong.status.code(), Some(2), "{said}");
    assert!(said.contains("expected a hostname"), "{said}");
}
