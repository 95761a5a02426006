//! An exchange at a local port that plays a script, and reports what it receives.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use url::Url;

/// The reaction to a request.
pub(in crate::exchanges) enum Reply {
    /// Status and body.
    Response(u16, String),
    /// Ends the connection without a response.
    Close,
    /// Keeps the connection open without a response.
    Silence,
}

/// A received request.
pub(in crate::exchanges) struct Received {
    /// The request line and the headers.
    pub(in crate::exchanges) head: Vec<String>,
    /// The body.
    pub(in crate::exchanges) body: String,
}

impl Received {
    /// Returns the value of a header.
    pub(in crate::exchanges) fn header(&self, name: &str) -> Option<&str> {
        let mut pairs = self.head.iter().filter_map(|line| line.split_once(": "));
        pairs.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// Starts the exchange. It ends connections when the script is over.
pub(in crate::exchanges) fn serve(script: Vec<Reply>) -> (Url, Receiver<Received>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let script = Arc::new(Mutex::new(VecDeque::from(script)));
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let (script, tell) = (script.clone(), tell.clone());
            std::thread::spawn(move || play(connection.unwrap(), &script, &tell));
        }
    });
    (base, told)
}

fn play(mut connection: TcpStream, script: &Mutex<VecDeque<Reply>>, tell: &Sender<Received>) {
    let mut reader = BufReader::new(connection.try_clone().unwrap());
    loop {
        let lines = (&mut reader).lines().map_while(Result::ok);
        let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
        let mut received = Received { head, body: String::new() };
        if received.head.is_empty() {
            return;
        }
        let length = received.header("content-length").map_or(0, |text| text.parse().unwrap());
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        received.body = String::from_utf8(body).unwrap();
        let _ = tell.send(received);
        let next = script.lock().unwrap().pop_front();
        match next {
            Some(Reply::Response(status, body)) => {
                let length = body.len();
                let head = format!("HTTP/1.1 {status} Status\r\nContent-Length: {length}\r\n\r\n");
                connection.write_all(format!("{head}{body}").as_bytes()).unwrap();
            }
            Some(Reply::Silence) => {}
            Some(Reply::Close) | None => return,
        }
    }
}
