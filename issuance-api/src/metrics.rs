//! What the API counts for operators.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use actix_web::http::{Method, StatusCode};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::sms::breaker;

/// Upper bounds in seconds: from a lookup in memory to a password hash on a busy machine.
const BOUNDS: [f64; 9] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    method: &'static str,
    /// The pattern of the route, never the path: there are as many patterns as routes, and none names a person.
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Attempt {
    channel: &'static str,
    gateway: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Called {
    provider: String,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfGateway {
    gateway: &'static str,
}

/// Clones share their counts.
#[derive(Debug, Clone)]
pub struct Metrics {
    requests: Family<Answered, Counter>,
    seconds: Histogram,
    messages: Family<Attempt, Counter>,
    calls: Family<Called, Counter>,
    gateways: Family<OfGateway, Gauge>,
    balances: Family<OfGateway, Gauge<f64, AtomicU64>>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            requests: Family::default(),
            seconds: Histogram::new(BOUNDS),
            messages: Family::default(),
            calls: Family::default(),
            gateways: Family::default(),
            balances: Family::default(),
        }
    }
}

impl Metrics {
    /// Adds the counts to those of the process.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("http_requests", "Requests answered", self.requests.clone());
        registry.register("http_request_seconds", "Time until an answer", self.seconds.clone());
        let attempts = "Messages handed to gateways: taken, refused, failed, unknown";
        registry.register("muhr_messages", attempts, self.messages.clone());
        let calls = "Calls of payment providers: followed, objected to, refused";
        registry.register("muhr_payment_calls", calls, self.calls.clone());
        let state = "Circuit breaker: 0 closed, 1 probing, 2 open";
        registry.register("muhr_sms_gateway_state", state, self.gateways.clone());
        registry.register("muhr_sms_balance", "What is left in the account", self.balances.clone());
    }

    /// A gateway was given a message: `taken`, `refused`, `failed` or `unknown`.
    pub(crate) fn message(&self, channel: &'static str, gateway: &'static str, outcome: &'static str) {
        self.messages.get_or_create(&Attempt { channel, gateway, outcome }).inc();
    }

    /// A payment provider has called: `followed`, `objected` to in its protocol's words, or `refused`.
    pub(crate) fn called(&self, provider: &str, outcome: &'static str) {
        self.calls.get_or_create(&Called { provider: provider.to_owned(), outcome }).inc();
    }

    /// What the breaker of a gateway thinks of it.
    pub(crate) fn gateway(&self, gateway: &'static str, state: breaker::State) {
        self.gateways.get_or_create(&OfGateway { gateway }).set(state.gauge());
    }

    /// What a gateway says is left in the account.
    pub(crate) fn balance(&self, gateway: &'static str, left: f64) {
        self.balances.get_or_create(&OfGateway { gateway }).set(left);
    }

    /// A request was answered.
    pub(crate) fn answered(&self, method: &Method, route: &str, status: StatusCode, taken: Duration) {
        let route = if route.is_empty() { "none" } else { route };
        let labels = Answered { method: known(method), route: route.to_owned(), status: status.as_u16() };
        self.requests.get_or_create(&labels).inc();
        self.seconds.observe(taken.as_secs_f64());
    }
}

/// A client may invent methods, but not new series.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
