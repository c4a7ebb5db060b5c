//! Payments as providers tell of them, over HTTP and into the ledger.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Bytes;
use actix_web::{HttpResponse, web};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ca_core::application::ApplicationId;
use ca_core::fee::{Channel, FeeTable};
use ca_core::subject::SubjectType;
use config::Settings;
use config::tables::Tables;
use issuance_api::context::Context;
use serde_json::json;
use store::applications::NewApplication;
use store::{Database, applications, invoices};

use super::in_temporary;
use super::issuance::person;
use super::load::{Served, serve};
use super::meter::{Meter, figure};
use crate::commands::{Place, open_database};
use crate::failure::{Failure, say};

/// Applications prepared in one transaction.
const CHUNK: usize = 500;
/// Payments by each provider before the measurement, if it is as long, after which the database knows how its tables are filled: a planner that
/// has only seen empty tables plans for empty tables, which lasts until autovacuum's next round.
const WARM_UP: usize = 500;
/// The secret of the gateway and of Payme in a measurement.
const SECRET: &str = "0123456789abcdef0123456789abcdef";

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// An EMPTY PostgreSQL database, or the path of an SQLite file to be made; without it, one in a temporary folder.
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// How many payments by each provider.
    #[arg(long, default_value_t = 10_000)]
    count: usize,
    /// Connections that call at once.
    #[arg(long, default_value_t = 16)]
    connections: usize,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    in_temporary(arguments.database.clone(), |place| measure(arguments, place))
}

fn measure(arguments: &Arguments, place: &Place) -> Result<(), Failure> {
    let settings = settings(place)?;
    let database = open_database(&settings)?;
    store::migrations::up(&database)?;
    if !database.read(applications::counts)?.is_empty() {
        return Err(Failure::new("the database is in use; a measurement wants an empty one"));
    }
    let prepared = Meter::start();
    let warm_up = WARM_UP.min(arguments.count);
    let due = prepare(&database, &settings, (arguments.count + warm_up) * 2)?;
    figure("payments.preparation", prepared.read().0.as_secs_f64(), "s");

    let context = web::Data::new(Context::start(settings, database.clone())?);
    let server = serve(move |app| issuance_api::configure(app, &context))?;
    let bare = serve(|app| {
        app.default_service(web::to(|_: Bytes| async {
            HttpResponse::Ok().insert_header((CONTENT_TYPE, "application/json")).body("{\"state\":\"paid\"}")
        }));
    })?;
    let (first, second) = due.split_at(arguments.count + warm_up);
    let webhook: Vec<_> = first.iter().map(|due| vec![webhook_call(due)]).collect();
    let payme: Vec<_> = second.iter().enumerate().map(|(n, due)| payme_calls(n, due)).collect();
    let ((warm_webhook, webhook), (warm_payme, payme)) = (webhook.split_at(warm_up), payme.split_at(warm_up));
    for warm in [warm_webhook, warm_payme] {
        send(server.address, warm, arguments.connections, true)?;
    }
    database.analyze()?;
    provider("webhook", &bare, &server, webhook, arguments.connections)?;
    provider("payme", &bare, &server, payme, arguments.connections)?;

    let report = database.read(store::ledger::verify)?;
    if let Some(finding) = report.findings.first() {
        return Err(Failure::new(format!("{}: {}", finding.object, finding.rule)));
    }
    say(
        json!({ "figure": "payments.verified", "value": report.invoices, "unit": "invoices paid and balanced" }),
    );
    Ok(())
}

/// Those of a sandbox with a gateway and Payme.
fn settings(place: &Place) -> Result<Settings, Failure> {
    let sources = place
        .sources()
        .with("payments.webhook.bank.secret_file", "payments.secret")
        .with("payments.payme.merchant_id", "measurement")
        .with("payments.payme.key_file", "payments.secret");
    let settings = Settings::load(&sources, &[])?;
    std::fs::create_dir_all(&settings.data.directory)?;
    std::fs::write(settings.data.directory.join("payments.secret"), SECRET)?;
    for file in std::iter::once(&settings.documents.key_file).chain(settings.documents.master_key_files()) {
        std::fs::write(file, [7; 32])?;
    }
    Ok(settings)
}

/// Something to pay.
struct Due {
    number: String,
    amount_tiyin: i64,
}

fn prepare(database: &Database, settings: &Settings, count: usize) -> Result<Vec<Due>, Failure> {
    let tables = Tables::load(&settings.data)?;
    let mut all = Vec::with_capacity(count);
    for begin in (0..count).step_by(CHUNK) {
        let some = database.write(|connection| -> Result<Vec<Due>, Failure> {
            (begin..count.min(begin + CHUNK)).map(|n| due(connection, settings, &tables.fees, n)).collect()
        })?;
        all.extend(some);
    }
    Ok(all)
}

fn due(
    connection: &mut store::Connection,
    settings: &Settings,
    fees: &FeeTable,
    n: usize,
) -> Result<Due, Failure> {
    let now = settings.clock().now();
    let subject = person(n, now)?.0;
    let id = ApplicationId::new(now);
    let new = NewApplication {
        id,
        subject,
        channel: Channel::Online,
        phone: format!("+99890{:07}", n % 10_000_000),
        region: 1726,
        district: 1_726_262,
        email: None,
        purpose: "measurement".to_owned(),
        language: "uz".to_owned(),
        offer_accepted_at: Some(now),
        registered_by: None,
        registered_partner: None,
        benefit: None,
    };
    applications::create(connection, &new, "applicant", now)?;
    let quote = fees.quote(SubjectType::NaturalPerson, Channel::Online, None, now)?;
    let invoice = invoices::write(connection, id, &quote, now.plus(settings.invoices.validity), now)?;
    Ok(Due { number: invoice.number, amount_tiyin: invoice.amount_tiyin })
}

/// A call, ready to be sent.
struct Call {
    path: &'static str,
    headers: String,
    body: String,
    /// What a good answer holds.
    good: &'static str,
}

/// Signed when it is sent would be dearer for the caller only; the window is five minutes.
fn webhook_call(due: &Due) -> Call {
    let now = config::clock::SystemClock::default().now();
    let report = json!({
        "transaction": due.number, "invoice": due.number, "amount_tiyin": due.amount_tiyin, "at": now,
    });
    let (seconds, body) = (now.unix_seconds(), report.to_string());
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, SECRET.as_bytes());
    let tag = aws_lc_rs::hmac::sign(&key, format!("{seconds}.{body}").as_bytes());
    let headers = format!("Muhr-Signature: t={seconds},v1={}\r\n", hex::encode(tag.as_ref()));
    Call { path: "/payments/webhook/bank", headers, body, good: "\"paid\"" }
}

fn payme_calls(n: usize, due: &Due) -> Vec<Call> {
    let now = config::clock::SystemClock::default().now().unix_millis();
    let (id, shown) = (format!("{n:024x}"), STANDARD.encode(format!("Paycom:{SECRET}")));
    let call = |method: &str, params: serde_json::Value, good| Call {
        path: "/payments/payme",
        headers: format!("Authorization: Basic {shown}\r\n"),
        body: json!({"id": n, "method": method, "params": params}).to_string(),
        good,
    };
    let account = json!({"invoice": due.number});
    let created = json!({"id": id, "time": now, "amount": due.amount_tiyin, "account": account});
    vec![
        call("CreateTransaction", created, "\"state\":1"),
        call("PerformTransaction", json!({"id": id}), "\"state\":2"),
    ]
}

/// The same calls to a handler that does nothing, and to ours: the callers' own cost is in both.
fn provider(
    name: &str,
    bare: &Served,
    server: &Served,
    payments: &[Vec<Call>],
    connections: usize,
) -> Result<(), Failure> {
    let calls = payments.iter().map(Vec::len).sum::<usize>() as f64;
    let baseline = Meter::start();
    send(bare.address, payments, connections, false)?;
    let (_, without) = baseline.read();
    let meter = Meter::start();
    send(server.address, payments, connections, true)?;
    let (wall, cpu) = meter.read();
    let (baseline, whole) = (without.as_secs_f64() * 1e6 / calls, cpu.as_secs_f64() * 1e6 / calls);
    let figure = |end: &str, value, unit| figure(&format!("payments.{name}.{end}"), value, unit);
    figure("rate", calls / wall.as_secs_f64(), "callbacks/s, one worker");
    figure("paid", payments.len() as f64 / wall.as_secs_f64(), "payments/s, one worker");
    figure("baseline", baseline, "us CPU/callback, caller and a handler that does nothing");
    figure("cpu", whole - baseline, "us CPU/callback beyond the baseline");
    figure("cpu.ratio", whole / baseline, "x baseline");
    Ok(())
}

/// Every payment's calls one after the other, payments side by side.
fn send(address: SocketAddr, payments: &[Vec<Call>], connections: usize, judge: bool) -> Result<(), Failure> {
    let next = Arc::new(AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..connections.max(1))
            .map(|_| {
                let next = Arc::clone(&next);
                scope.spawn(move || -> Result<(), Failure> {
                    let mut stream = BufReader::new(TcpStream::connect(address)?);
                    stream.get_ref().set_nodelay(true)?;
                    while let Some(calls) = payments.get(next.fetch_add(1, Ordering::Relaxed)) {
                        for call in calls {
                            let answer = ask(&mut stream, call)?;
                            if judge && !answer.contains(call.good) {
                                return Err(Failure::new(format!("{} was answered {answer}", call.body)));
                            }
                        }
                    }
                    Ok(())
                })
            })
            .collect();
        clients
            .into_iter()
            .try_for_each(|client| client.join().map_err(|_| Failure::new("a caller broke off"))?)
    })
}

fn ask(stream: &mut BufReader<TcpStream>, call: &Call) -> Result<String, Failure> {
    let Call { path, headers, body, .. } = call;
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{headers}\r\n",
        body.len()
    );
    stream.get_mut().write_all((head + body).as_bytes())?;
    let (mut line, mut length) = (String::new(), 0);
    loop {
        line.clear();
        if stream.read_line(&mut line)? == 0 {
            return Err(Failure::new("the server hung up"));
        }
        if line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse()?;
        }
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
