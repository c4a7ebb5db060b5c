//! Load over HTTP from other people's programs: wrk for the cost of an answer, h2load for the time it takes at a rate
//! that leaves a third of the machine free.

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use actix_web::dev::ServerHandle;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Bytes;
use actix_web::{App, HttpResponse, HttpServer, web};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use config::Settings;
use ocsp_responder::Service;

use super::PASSPHRASE;
use super::meter::{cpu_time_of, figure};
use crate::failure::Failure;

/// Connections that ask at once.
const CONNECTIONS: u32 = 64;

/// Requests in the files that wrk and h2load read.
pub(crate) struct Load {
    /// A wrk script that POSTs one after the other.
    post: PathBuf,
    /// A wrk script that GETs them.
    get: PathBuf,
    /// Paths, one a line.
    paths: String,
    /// The first of them as a body.
    body: PathBuf,
}

impl Load {
    /// Writes the files.
    pub(crate) fn prepare(folder: &Path, name: &str, requests: &[Vec<u8>]) -> Result<Self, Failure> {
        let file = |end: &str| folder.join(format!("{name}.{end}"));
        let load = Self {
            post: file("post.lua"),
            get: file("get.lua"),
            paths: requests.iter().fold(String::new(), |mut paths, request| {
                let _ = writeln!(paths, "/ocsp/{}", percent_encoded(&STANDARD.encode(request)));
                paths
            }),
            body: file("der"),
        };
        std::fs::write(&load.body, requests.first().map_or(&[][..], Vec::as_slice))?;
        std::fs::write(
            file("hex"),
            requests.iter().fold(String::new(), |text, request| text + &hex::encode(request) + "\n"),
        )?;
        std::fs::write(file("paths"), &load.paths)?;
        let each = |file: &Path, read: &str, format: &str| {
            format!(
                "local all, n = {{}}, 0\nfunction init()\n for line in io.lines('{}') do {read} end\nend\n\
                 function request() n = n % #all + 1; return all[n] end\n-- {format}\n",
                file.display()
            )
        };
        let body = "local b = line:gsub('..', function(h) return string.char(tonumber(h, 16)) end); \
                    all[#all + 1] = wrk.format('POST', '/ocsp', {['Content-Type'] = 'application/ocsp-request', ['Host'] = 'x'}, b)";
        std::fs::write(&load.post, each(&file("hex"), body, "one POST after the other"))?;
        let path = "all[#all + 1] = wrk.format('GET', line, {['Host'] = 'x'})";
        std::fs::write(&load.get, each(&file("paths"), path, "one GET after the other"))?;
        Ok(load)
    }
}

fn percent_encoded(base64: &str) -> String {
    base64.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
}

/// A server of one worker on a thread of its own; it stops when this is dropped.
pub(super) struct Served {
    pub(super) address: SocketAddr,
    handle: ServerHandle,
}

impl Drop for Served {
    fn drop(&mut self) {
        // The future only waits for the end, which nobody needs to.
        drop(self.handle.stop(false));
    }
}

pub(super) fn serve(
    configure: impl Fn(&mut web::ServiceConfig) + Send + Clone + 'static,
) -> Result<Served, Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let (started, start) = mpsc::channel();
    std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let application = move || App::new().configure(configure.clone());
            let server = HttpServer::new(application).workers(1).disable_signals().listen(listener)?.run();
            let _ = started.send(server.handle());
            server.await
        })
    });
    let handle = start.recv().map_err(|_| Failure::new("the server does not start"))?;
    Ok(Served { address, handle })
}

/// What wrk and the server's own CPU time say of one load.
struct Cost {
    /// Requests answered in a second.
    rate: f64,
    /// CPU microseconds of the server for each.
    cpu: f64,
}

/// Lets wrk load an address for so long and divides the process's CPU time by what was answered.
fn cost(address: SocketAddr, process: &str, script: &Path, seconds: u64) -> Result<Cost, Failure> {
    let before = cpu_time_of(process);
    let output = Command::new("wrk")
        .args(["-t1", &format!("-c{CONNECTIONS}"), &format!("-d{seconds}s"), "-s"])
        .arg(script)
        .arg(format!("http://{address}/ocsp"))
        .output()
        .map_err(|error| Failure::new(format!("wrk: {error} (it is in Debian's package wrk)")))?;
    let spent = cpu_time_of(process).saturating_sub(before);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let number = |before: &str| -> Option<f64> {
        said.lines().find_map(|line| line.trim().strip_prefix(before)?.trim().parse().ok())
    };
    let answered: f64 =
        said.lines().find_map(|line| line.trim().split_once(" requests in ")?.0.parse().ok()).ok_or_else(
            || Failure::new(format!("wrk says: {said}{}", String::from_utf8_lossy(&output.stderr))),
        )?;
    if said.contains("Non-2xx") {
        return Err(Failure::new(format!("not every request was answered: {said}")));
    }
    Ok(Cost {
        rate: number("Requests/sec:").unwrap_or_default(),
        cpu: spent.as_secs_f64() * 1e6 / answered.max(1.0),
    })
}

/// The responder beside a bare actix-web handler that gives a constant answer of the same size.
pub(crate) fn over_http(
    service: &Arc<Service>,
    patience: Duration,
    answer: Bytes,
    signature: f64,
    plain: &Load,
    nonce: &Load,
    seconds: u64,
) -> Result<(), Failure> {
    figure("ocsp.http.answer", answer.len() as f64, "octets");
    let constant = move || {
        let answer = answer.clone();
        async move { HttpResponse::Ok().insert_header((CONTENT_TYPE, "application/ocsp-response")).body(answer) }
    };
    let posted = constant.clone();
    let bare = serve(move |app| {
        let (constant, posted) = (constant.clone(), posted.clone());
        app.route("/ocsp", web::post().to(move |_: Bytes| posted()));
        app.service(web::scope("/ocsp").default_service(web::get().to(constant)));
    })?;
    let service = Arc::clone(service);
    let responder = serve(move |app| ocsp_responder::configure(app, Arc::clone(&service), patience))?;

    // In turns, and medians of five rounds: what else runs on the machine disturbs all alike.
    let mut costs: [Vec<Cost>; 5] = Default::default();
    for _ in 0..5 {
        let loads = [
            (bare.address, &plain.post),
            (responder.address, &plain.post),
            (bare.address, &plain.get),
            (responder.address, &plain.get),
            (responder.address, &nonce.post),
        ];
        for (costs, (address, script)) in costs.iter_mut().zip(loads) {
            costs.push(cost(address, "self", script, seconds)?);
        }
    }
    let [bare_post, post, bare_get, get, nonces] = &costs;
    for (name, costs) in [
        ("ocsp.http.baseline.post", bare_post),
        ("ocsp.http.no_nonce.post", post),
        ("ocsp.http.baseline.get", bare_get),
        ("ocsp.http.no_nonce.get", get),
        ("ocsp.http.nonce.post", nonces),
    ] {
        figure(name, median(costs.iter().map(|cost| cost.cpu)), "us CPU/answer");
        figure(&format!("{name}.rate"), fastest(costs), "answers/s, one worker");
    }
    // Each round beside its own baseline.
    let ratio = |costs: &[Cost], goal: &dyn Fn(usize) -> f64| {
        median(costs.iter().enumerate().map(|(round, cost)| cost.cpu / goal(round)))
    };
    let bare_posts = |round: usize| bare_post[round].cpu;
    figure("ocsp.http.no_nonce.post.ratio", ratio(post, &bare_posts), "x baseline (goal 1.3)");
    figure("ocsp.http.no_nonce.get.ratio", ratio(get, &|round| bare_get[round].cpu), "x baseline (goal 1.3)");
    let goal = |round: usize| 1.3 * bare_post[round].cpu + 1.3 * signature;
    figure("ocsp.http.nonce.post.ratio", ratio(nonces, &goal), "x goal (1.3 baseline + 1.3 signature)");
    latency("ocsp.http.no_nonce", responder.address, Asked::Paths(plain), fastest(get) * 0.7, seconds)?;
    latency("ocsp.http.nonce", responder.address, Asked::Body(nonce), fastest(nonces) * 0.7, seconds)
}

fn fastest(costs: &[Cost]) -> f64 {
    costs.iter().map(|cost| cost.rate).fold(0.0, f64::max)
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

enum Asked<'a> {
    Paths(&'a Load),
    Body(&'a Load),
}

/// The time to the end of an answer, at a rate that does not depend on how fast answers come.
fn latency(
    name: &str,
    address: SocketAddr,
    asked: Asked<'_>,
    rate: f64,
    seconds: u64,
) -> Result<(), Failure> {
    let clients = 16.0;
    let (log, urls) = match &asked {
        Asked::Paths(load) | Asked::Body(load) => {
            (load.body.with_extension("log"), load.body.with_extension("urls"))
        }
    };
    let mut h2load = Command::new("h2load");
    h2load.args(["--h1", "-t1", &format!("-c{clients}"), &format!("-D{seconds}")]);
    h2load
        .arg(format!("--rps={:.0}", (rate / clients).max(1.0)))
        .arg(format!("--log-file={}", log.display()));
    match asked {
        Asked::Paths(load) => {
            let all = load.paths.lines().map(|path| format!("http://{address}{path}\n")).collect::<String>();
            std::fs::write(&urls, all)?;
            h2load.arg(format!("--input-file={}", urls.display()));
        }
        Asked::Body(load) => {
            h2load.arg(format!("--data={}", load.body.display()));
            h2load
                .args(["-H", "content-type: application/ocsp-request"])
                .arg(format!("http://{address}/ocsp"));
        }
    }
    let said = h2load.output().map_err(|error| {
        Failure::new(format!("h2load: {error} (it is in Debian's package nghttp2-client)"))
    })?;
    // Tab-separated: start, HTTP status, microseconds.
    let text = std::fs::read_to_string(&log)?;
    let mut times: Vec<f64> =
        text.lines().filter_map(|line| line.split('\t').nth(2)?.trim().parse().ok()).collect();
    if times.is_empty() {
        return Err(Failure::new(format!("h2load says: {}", String::from_utf8_lossy(&said.stdout))));
    }
    times.sort_unstable_by(f64::total_cmp);
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize];
    figure(&format!("{name}.at_70_percent.rate"), times.len() as f64 / seconds as f64, "answers/s");
    figure(&format!("{name}.at_70_percent.p50"), at(0.5), "us");
    figure(&format!("{name}.at_70_percent.p99"), at(0.99), "us");
    std::fs::remove_file(&log)?;
    Ok(())
}

/// The same questions to `openssl ocsp`, which signs every answer and says `unknown` to most.
pub(crate) fn against_openssl(
    settings: &Settings,
    folder: &Path,
    nonce: &Load,
    seconds: u64,
) -> Result<(), Failure> {
    let openssl = |arguments: &[&str]| Command::new("openssl").args(arguments).current_dir(folder).output();
    let missing = |error| Failure::new(format!("openssl: {error} (it is in Debian's package openssl)"));
    let file = |path: &Path| path.display().to_string();
    let keys = &settings.keys.directory;
    let pass = format!("pass:{}", String::from_utf8_lossy(PASSPHRASE));
    for (from, to) in
        [(keys.join("ca.cer"), "ca.pem"), (settings.ocsp.certificate_file.clone(), "responder.pem")]
    {
        openssl(&["x509", "-inform", "DER", "-in", &file(&from), "-out", to]).map_err(missing)?;
    }
    let key = file(&settings.ocsp.key_file);
    openssl(&["pkey", "-in", &key, "-passin", &pass, "-out", "responder.key"]).map_err(missing)?;
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let mut server = Command::new("openssl")
        .args(["ocsp", "-index", "index.txt", "-CA", "ca.pem", "-rsigner", "responder.pem"])
        .args(["-rkey", "responder.key", "-port", &address.port().to_string()])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(missing)?;
    let measured =
        one_after_the_other(address, &server.id().to_string(), &std::fs::read(&nonce.body)?, seconds);
    let _ = server.kill();
    server.wait()?;
    let Cost { rate, cpu } = measured?;
    figure("ocsp.openssl.nonce", cpu, "us CPU/answer");
    figure("ocsp.openssl.nonce.rate", rate, "answers/s");
    Ok(())
}

/// `openssl ocsp` closes every connection, and ends or spins when one is closed before it has asked anything, as wrk
/// does first: it is asked by us, once a connection.
fn one_after_the_other(
    address: SocketAddr,
    process: &str,
    request: &[u8],
    seconds: u64,
) -> Result<Cost, Failure> {
    let head = format!(
        "POST /ocsp HTTP/1.0\r\nContent-Type: application/ocsp-request\r\nContent-Length: {}\r\n\r\n",
        request.len()
    );
    let question = [head.as_bytes(), request].concat();
    let ask = || -> std::io::Result<usize> {
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(&question)?;
        stream.read_to_end(&mut Vec::new())
    };
    let starting = Instant::now();
    while ask().is_err() {
        if starting.elapsed() > Duration::from_secs(20) {
            return Err(Failure::new("openssl ocsp does not start"));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let (before, start, mut answered) = (cpu_time_of(process), Instant::now(), 0.0);
    while start.elapsed() < Duration::from_secs(seconds) {
        if ask()? < 500 {
            return Err(Failure::new("openssl ocsp gives no answer"));
        }
        answered += 1.0;
    }
    let spent = cpu_time_of(process).saturating_sub(before);
    Ok(Cost { rate: answered / seconds as f64, cpu: spent.as_secs_f64() * 1e6 / answered })
}
