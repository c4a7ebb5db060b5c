//! A small HTTP server, one thread per connection, for whoever Muhr calls: they only say what they answer.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// A listening server and what it knows, `S`.
pub(crate) struct Server<S> {
    /// `http://127.0.0.1:PORT`
    pub(crate) address: String,
    state: Arc<Mutex<S>>,
}

pub(crate) struct Request {
    /// `METHOD /path`
    pub(crate) line: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Lines of their own, each with its end.
    pub(crate) headers: String,
    pub(crate) body: String,
    /// Before it is sent.
    pub(crate) wait: Duration,
    /// Nothing is sent after all.
    pub(crate) hang_up: bool,
}

impl<S> Clone for Server<S> {
    fn clone(&self) -> Self {
        Self { address: self.address.clone(), state: Arc::clone(&self.state) }
    }
}

impl<S: Send + 'static> Server<S> {
    pub(crate) fn start(state: S, answer: fn(&mut S, &Request) -> Reply) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("bound"));
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                thread::spawn(move || serve(&stream, &state, answer));
            }
        });
        Self { address, state }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, S> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn serve<S>(stream: &TcpStream, state: &Mutex<S>, answer: fn(&mut S, &Request) -> Reply) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader) {
        let reply = answer(&mut state.lock().unwrap_or_else(PoisonError::into_inner), &request);
        thread::sleep(reply.wait);
        if reply.hang_up {
            return;
        }
        let Reply { status, headers, body, .. } = reply;
        let head = format!("HTTP/1.1 {status} as played\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
        let mut stream = stream;
        if stream.write_all(format!("{head}{body}").as_bytes()).is_err() {
            return;
        }
    }
}

fn read(reader: &mut BufReader<&TcpStream>) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut headers = HashMap::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok().filter(|read| *read > 0)?;
        let Some((name, value)) = header.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let line = line.rsplit_once(' ').map_or(line.as_str(), |(line, _)| line).to_owned();
    Some(Request { line, headers, body: String::from_utf8_lossy(&body).into_owned() })
}

impl Request {
    /// A header, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// An answer in JSON, at once.
pub(crate) fn reply(status: u16, body: &Value) -> Reply {
    let headers = "content-type: application/json\r\n".to_owned();
    Reply { status, headers, body: body.to_string(), wait: Duration::ZERO, hang_up: false }
}
