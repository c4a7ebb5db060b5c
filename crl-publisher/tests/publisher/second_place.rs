//! The second place: a folder, and an S3 server that others wrote (moto).

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::stage::{Stage, within};

const SECOND: Duration = Duration::from_secs(1);
/// Somebody who is not anybody; moto asks no further.
const AUTHORIZATION: &str = "Authorization: AWS4-HMAC-SHA256 \
     Credential=nobody/20261126/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";

#[test]
fn everything_published_is_in_the_second_folder_too() {
    let second = tempfile::TempDir::new().unwrap();
    let url = format!("file://{}", second.path().display());
    let mut stage = Stage::with(&[("crl.store_url", &url)]);
    let is_same = |stage: &Stage, name: &str| {
        let here = fs::read(stage.path("repository").join(name)).ok();
        here.is_some() && here == fs::read(second.path().join(name)).ok()
    };
    stage.sign_until_published(1);
    within(10 * SECOND, || ["ca.crl", "ca-delta.crl", "ca.cer"].iter().all(|name| is_same(&stage, name)));
    // What was lost there while nobody copied comes back.
    stage.worker = None;
    fs::remove_file(second.path().join("ca.crl")).unwrap();
    stage.restart();
    within(10 * SECOND, || is_same(&stage, "ca.crl"));
}

/// The server is a process of its own that ends with the test.
struct Moto {
    process: Child,
    port: u16,
}

impl Moto {
    /// `cargo xtask test` installs it; `MUHR_ORACLES` says where.
    fn start(port: u16) -> Option<Self> {
        let Some(folder) = std::env::var_os("MUHR_ORACLES") else {
            assert!(
                std::env::var_os("CI").is_none(),
                "MUHR_ORACLES names no virtual environment with moto[s3,server]"
            );
            return None;
        };
        let program = PathBuf::from(folder).join("bin/moto_server");
        assert!(program.is_file(), "{} is missing; `cargo xtask test` installs it", program.display());
        let process = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let moto = Self { process, port };
        within(30 * SECOND, || TcpStream::connect(("127.0.0.1", port)).is_ok());
        moto.ask("PUT", "/muhr", 200);
        Some(moto)
    }

    fn ask(&self, method: &str, path: &str, expected: u16) -> (String, Vec<u8>) {
        let (status, head, body) = self.try_ask(method, path);
        assert_eq!(status, expected, "{head}");
        (head, body)
    }

    fn try_ask(&self, method: &str, path: &str) -> (u16, String, Vec<u8>) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n{AUTHORIZATION}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            self.port
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
        (head[9..12].parse().unwrap(), head, answer[end + 4..].to_vec())
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let ended = self.process.kill().and_then(|()| self.process.wait());
        assert!(ended.is_ok(), "{ended:?}");
    }
}

/// Nobody listens there, and nobody is given it: below the ports that the system hands out, as to the other tests.
fn free_port() -> u16 {
    let first = 20_000 + (std::process::id() % 10_000) as u16;
    (first..first + 1000).find(|&port| TcpListener::bind(("127.0.0.1", port)).is_ok()).unwrap()
}

/// The environment is this process's: the test runs itself again with the store's variables set.
#[test]
fn an_object_store_gets_every_file_once_it_is_there() {
    let port = match std::env::var("MUHR_TEST_S3_PORT") {
        Ok(port) => port.parse().unwrap(),
        Err(_) if std::env::var_os("MUHR_ORACLES").is_none() => {
            assert!(Moto::start(0).is_none());
            return;
        }
        Err(_) => return again(free_port()),
    };
    let stage = Stage::with(&[("crl.store_url", "s3://muhr/published/here")]);
    stage.sign_until_published(1);
    // Nobody is there yet; the local folder does not wait.
    std::thread::sleep(SECOND);
    let moto = Moto::start(port).unwrap();
    for (name, content_type) in [
        ("ca.crl", "application/pkix-crl"),
        ("ca-delta.crl", "application/pkix-crl"),
        ("ca.cer", "application/pkix-cert"),
    ] {
        let path = format!("/muhr/published/here/{name}");
        within(60 * SECOND, || moto.try_ask("GET", &path).0 == 200);
        let (head, body) = moto.ask("GET", &path, 200);
        assert_eq!(body, fs::read(stage.path("repository").join(name)).unwrap(), "{name}");
        assert!(head.contains(&format!("content-type: {content_type}")), "{head}");
        assert!(head.contains("cache-control: max-age=60, public"), "{head}");
    }
}

fn again(port: u16) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "second_place::an_object_store_gets_every_file_once_it_is_there", "--nocapture"])
        .env("MUHR_TEST_S3_PORT", port.to_string())
        .env("AWS_ENDPOINT", format!("http://127.0.0.1:{port}"))
        .env("AWS_ALLOW_HTTP", "true")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "nobody")
        .env("AWS_SECRET_ACCESS_KEY", "nothing")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&[output.stdout, output.stderr].concat()));
}
