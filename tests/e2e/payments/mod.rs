//! The other side of a payment: providers that call Muhr in their own protocols. They are written from the providers'
//! papers (docs, packages of other merchants), not from Muhr's code, and know of it only where it listens.

mod click;
mod click_merchant;
mod payme;
mod paynet;
mod webhook;

use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant, UNIX_EPOCH};

use openssl::hash::{MessageDigest, hash};
use reqwest::blocking::RequestBuilder;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

use crate::applicant::{Applicant, Application, SubjectType};
use crate::http::{Answer, try_send};
use crate::picture;
use crate::stack::{Database, Shared, Stack, fresh_folder};

pub(crate) use click::{ALREADY_PAID, Click, Form, Trans, confirmed};
pub(crate) use click_merchant::ClickMerchant;
pub(crate) use payme::{Payme, Receipt, authorization};
pub(crate) use paynet::{EXISTS, Paynet};
pub(crate) use webhook::{Bank, Report, secret as bank_secret, signature};

/// 12 hours: how long a transaction of Payme waits to be performed.
pub(crate) const PAYME_WAITS: i64 = 43_200;
pub(crate) const DAY: i64 = 86_400;

/// Longer than a killed process is away.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Somebody who moves money.
pub(crate) trait Provider: Sync {
    /// As payments name it.
    fn name(&self) -> &'static str;

    /// Pays an invoice by a new transaction, and asks again wherever no answer comes.
    fn pay(&self, number: &str, amount_tiyin: i64) -> Verdict;
}

/// How an attempt to pay ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Muhr has acknowledged the payment: the payer's money is gone.
    Paid,
    /// Muhr wanted none, for this reason: the payer keeps the money.
    Refused(String),
}

/// A call and what came back.
#[derive(Debug)]
pub(crate) struct Exchange {
    asked: String,
    pub(crate) answer: Answer,
}

/// An invoice that waits to be paid, and the draft it is for.
pub(crate) struct Due {
    pub(crate) application: Application,
    pub(crate) id: String,
    pub(crate) number: String,
    pub(crate) amount: i64,
}

/// The stack that stories about payments share; every provider is known to it.
pub(crate) fn shared(database: Database) -> Shared {
    Shared::of(&ground(database).0)
}

/// The API of CLICK that the shared stack calls.
pub(crate) fn merchant(database: Database) -> ClickMerchant {
    ground(database).1.clone()
}

fn ground(database: Database) -> &'static (Stack, ClickMerchant) {
    static SQLITE: OnceLock<(Stack, ClickMerchant)> = OnceLock::new();
    static POSTGRES: OnceLock<(Stack, ClickMerchant)> = OnceLock::new();
    let place = match database {
        Database::Sqlite => &SQLITE,
        Database::Postgres | Database::PostgresAndToken => &POSTGRES,
    };
    place.get_or_init(|| {
        let merchant = ClickMerchant::start();
        (start(database, &merchant.settings()), merchant)
    })
}

/// A stack of its own that knows every provider; CLICK's own API is off unless `more` says where it is.
pub(crate) fn start(database: Database, more: &[(&str, &str)]) -> Stack {
    let folder = fresh_folder();
    let secrets = [
        ("PAYMENTS__CLICK__SECRET_FILE", click::SECRET),
        ("PAYMENTS__PAYME__KEY_FILE", payme::KEY),
        ("PAYMENTS__PAYNET__PASSWORD_FILE", paynet::PASSWORD),
        ("PAYMENTS__WEBHOOK__BANK__SECRET_FILE", webhook::SECRET),
    ];
    let files = secrets.map(|(key, secret)| (key, secret_file(&folder, key, secret)));
    let service = click::SERVICE.to_string();
    let paynet = paynet::SERVICE.to_string();
    let ours = [
        ("PAYMENTS__CLICK__SERVICE_ID", service.as_str()),
        ("PAYMENTS__CLICK__MERCHANT_ID", "31425"),
        ("PAYMENTS__PAYME__MERCHANT_ID", "5e730e8e0b852a417aa49ceb"),
        ("PAYMENTS__PAYNET__SERVICE_ID", paynet.as_str()),
        ("PAYMENTS__PAYNET__LOGIN", paynet::LOGIN),
    ];
    let files = files.iter().map(|(key, file)| (*key, file.as_str()));
    let all: Vec<(&str, &str)> = ours.into_iter().chain(files).chain(more.iter().copied()).collect();
    database.start_with(&all)
}

fn secret_file(folder: &Path, name: &str, secret: &str) -> String {
    let file = folder.join(name);
    fs::write(&file, format!("{secret}\n")).expect("our folder");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("our file");
    file.display().to_string()
}

impl Due {
    /// A draft of somebody new.
    pub(crate) fn fresh(stack: &Stack) -> Self {
        let application = Applicant::with_confirmed_phone(stack).apply(SubjectType::NaturalPerson);
        let invoice = application.invoice();
        assert_eq!(invoice["state"], "open", "{invoice}");
        let text = |member: &str| {
            invoice[member].as_str().unwrap_or_else(|| panic!("no {member} in {invoice}")).to_owned()
        };
        let amount = invoice["amount_tiyin"].as_i64().unwrap_or_else(|| panic!("no amount in {invoice}"));
        Self { id: text("id"), number: text("number"), amount, application }
    }

    /// Several at a time, because each takes a while to fill in.
    pub(crate) fn many(stack: &Stack, count: usize) -> Vec<Self> {
        const AT_ONCE: usize = 4;
        thread::scope(|scope| {
            let share = |part: usize| -> Vec<Self> {
                (part..count).step_by(AT_ONCE).map(|_| Self::fresh(stack)).collect()
            };
            let runs: Vec<_> = (0..AT_ONCE).map(|part| scope.spawn(move || share(part))).collect();
            runs.into_iter().flat_map(|run| run.join().expect("no panic")).collect()
        })
    }

    /// Hands in everything but the payment.
    pub(crate) fn with_papers(self) -> Self {
        self.application.put_csr(&self.application.key.csr()).json_or_empty();
        self.application.put_document("photo", "image/jpeg", picture::photo()).json_or_empty();
        self.application.put_document("selfie", "image/jpeg", picture::selfie()).json_or_empty();
        self
    }

    /// Of this invoice; the application may have a newer one.
    pub(crate) fn state(&self, stack: &Stack) -> String {
        stack.rows(&format!("SELECT state FROM invoices WHERE id = '{}'", self.id)).concat()
    }

    /// Paid once, by nobody but this provider, and in balance.
    #[track_caller]
    pub(crate) fn is_paid_by(&self, stack: &Stack, provider: &str) {
        assert_eq!(self.state(stack), "paid", "{}", self.number);
        assert_eq!(self.live_payments(stack), [format!("{provider}|performed|{}", self.amount)]);
        self.is_booked(stack, &["charge", "payment"]);
    }

    /// Open, and nobody's money was taken.
    #[track_caller]
    pub(crate) fn is_unpaid(&self, stack: &Stack) {
        assert_eq!(self.state(stack), "open", "{}", self.number);
        self.is_booked(stack, &["charge"]);
    }

    /// `provider|state|amount` of the payments that were not cancelled: one at most.
    pub(crate) fn live_payments(&self, stack: &Stack) -> Vec<String> {
        stack.rows(&format!(
            "SELECT provider, state, amount_tiyin FROM payments WHERE invoice_id = '{}' AND state <> 'cancelled'",
            self.id
        ))
    }

    /// The ledger says this of the invoice, each with its whole amount.
    #[track_caller]
    pub(crate) fn is_booked(&self, stack: &Stack, kinds: &[&str]) {
        let postings = format!(
            "SELECT kind, amount_tiyin FROM ledger_postings WHERE invoice_id = '{}' ORDER BY id",
            self.id
        );
        let expected: Vec<String> = kinds.iter().map(|kind| format!("{kind}|{}", self.amount)).collect();
        assert_eq!(stack.rows(&postings), expected, "{}", self.number);
    }
}

/// The ledger holds, by Muhr's own word: how many invoices it has looked at.
#[track_caller]
pub(crate) fn ledger_holds(stack: &Stack) -> u64 {
    let said = stack.muhr(&["ledger", "verify"]).well();
    let line = said.out.lines().last().unwrap_or_default();
    let verdict: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {}", said.all()));
    assert_eq!(verdict["findings"], json!([]), "{}", said.all());
    verdict["invoices"].as_u64().unwrap_or_else(|| panic!("no count in {}", said.all()))
}

impl Exchange {
    /// What was answered, or that no answer came.
    pub(crate) fn of(said: &str, request: RequestBuilder) -> Result<Self, reqwest::Error> {
        Ok(Self { asked: said.to_owned(), answer: try_send(request)? })
    }

    /// The JSON in it.
    #[track_caller]
    pub(crate) fn body(&self) -> Value {
        serde_json::from_slice(&self.answer.body).unwrap_or_else(|error| panic!("{error}: {self}"))
    }

    /// The code of a refusal, by CLICK (`error`) or by JSON-RPC (`error.code`); 0 where all is well.
    #[track_caller]
    pub(crate) fn code(&self) -> i64 {
        let body = self.body();
        let code = match &body["error"] {
            Value::Null => body["result"].is_object().then_some(0),
            Value::Object(error) => error.get("code").and_then(Value::as_i64),
            code => code.as_i64(),
        };
        code.unwrap_or_else(|| panic!("neither a result nor a code: {self}"))
    }

    /// All is well: the result, or the whole of CLICK's answer.
    #[track_caller]
    pub(crate) fn well(&self) -> Value {
        assert_eq!((self.answer.status, self.code()), (200, 0), "{self}");
        let body = self.body();
        if body["result"].is_null() { body } else { body["result"].clone() }
    }

    /// It is refused with this code, in the provider's manner: HTTP 200.
    #[track_caller]
    pub(crate) fn refused(&self, code: i64) -> Value {
        assert_eq!((self.answer.status, self.code()), (200, code), "{self}");
        let body = self.body();
        assert!(body["result"].is_null(), "a refusal has no result: {self}");
        body
    }
}

impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\nwas answered {} {}", self.asked, self.answer.status, self.answer.text())
    }
}

/// Calls until an answer comes, and tells whether a call before it went without. A provider takes 503 for no answer.
fn persistently(call: impl Fn() -> Result<Exchange, reqwest::Error>) -> (Exchange, bool) {
    let started = Instant::now();
    let mut repeated = false;
    loop {
        let last = match call() {
            Ok(exchange) if exchange.answer.status != 503 => return (exchange, repeated),
            Ok(exchange) => exchange.to_string(),
            Err(error) => format!("{error:?}"),
        };
        assert!(started.elapsed() < PATIENCE, "no answer within {PATIENCE:?}: {last}");
        repeated = true;
        thread::sleep(Duration::from_millis(20));
    }
}

/// The answer, which must come.
#[track_caller]
fn answered(exchange: Result<Exchange, reqwest::Error>) -> Exchange {
    exchange.unwrap_or_else(|error| panic!("no answer: {error:?}"))
}

/// Now, by the clock of this machine.
pub(crate) fn now() -> i64 {
    i64::try_from(UNIX_EPOCH.elapsed().expect("after 1970").as_secs()).expect("a date")
}

fn tashkent(seconds: i64) -> OffsetDateTime {
    let offset = UtcOffset::from_hms(5, 0, 0).expect("UTC+5");
    OffsetDateTime::from_unix_timestamp(seconds).expect("a date").to_offset(offset)
}

/// `YYYY-MM-DD` in Tashkent.
pub(crate) fn day(seconds: i64) -> String {
    tashkent(seconds).date().to_string()
}

/// `YYYY-MM-DD HH:mm:ss` in Tashkent.
pub(crate) fn local_time(seconds: i64) -> String {
    let moment = tashkent(seconds);
    let (hour, minute, second) = moment.to_hms();
    format!("{} {hour:02}:{minute:02}:{second:02}", moment.date())
}

/// As RFC 3339 writes it.
pub(crate) fn rfc3339(seconds: i64) -> String {
    tashkent(seconds).format(&Rfc3339).expect("a date")
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn digest(kind: MessageDigest, text: &str) -> String {
    hex(&hash(kind, text.as_bytes()).expect("OpenSSL knows it"))
}

#[test]
fn signatures_are_as_openssl_makes_them_on_the_command_line() {
    // printf abc | openssl dgst -md5; the same with -sha1
    assert_eq!(digest(MessageDigest::md5(), "abc"), "900150983cd24fb0d6963f7d28e17f72");
    assert_eq!(digest(MessageDigest::sha1(), "abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
    assert_eq!(local_time(1_790_000_000), "2026-09-21 19:13:20");
    assert_eq!(rfc3339(1_790_000_000), "2026-09-21T19:13:20+05:00");
}
