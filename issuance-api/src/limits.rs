//! How often is too often, per network address. What is counted per phone or account is counted in the database.

use std::net::IpAddr;
use std::num::NonZeroU32;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::web;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::context::Context;
use crate::problem::{Kind, Problem};
use crate::request::address;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// Any request.
    Request,
    /// A picture puzzle.
    Captcha,
    /// An officer's attempt to sign in.
    SignIn,
    /// A new application.
    Application,
}

/// One counter per address and kind, in memory: a restart forgives.
pub struct Limits {
    requests: DefaultKeyedRateLimiter<IpAddr>,
    captchas: DefaultKeyedRateLimiter<IpAddr>,
    sign_ins: DefaultKeyedRateLimiter<IpAddr>,
    applications: DefaultKeyedRateLimiter<IpAddr>,
    clock: DefaultClock,
}

impl Limits {
    /// From the settings.
    pub fn new(settings: &config::settings::Limits) -> Self {
        let at_least_one = |count: u32| NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
        let per_minute = |count| RateLimiter::keyed(Quota::per_minute(at_least_one(count)));
        Self {
            requests: per_minute(settings.requests_per_address_per_minute),
            captchas: per_minute(settings.captchas_per_address_per_minute),
            sign_ins: per_minute(settings.sign_ins_per_address_per_minute),
            applications: RateLimiter::keyed(Quota::per_hour(at_least_one(
                settings.applications_per_address_per_hour,
            ))),
            clock: DefaultClock::default(),
        }
    }

    /// Counts one.
    ///
    /// # Errors
    /// 429 with `Retry-After`.
    pub fn count(&self, what: Counted, address: IpAddr) -> Result<(), Problem> {
        let limiter = match what {
            Counted::Request => &self.requests,
            Counted::Captcha => &self.captchas,
            Counted::SignIn => &self.sign_ins,
            Counted::Application => &self.applications,
        };
        limiter.check_key(&network(address)).map_err(|until| {
            let wait = until.wait_time_from(self.clock.now()).as_secs() + 1;
            Problem::new(Kind::TooManyRequests).after(wait)
        })
    }

    /// Forgets addresses that have been quiet, so that memory stays flat.
    pub fn sweep(&self) {
        for limiter in [&self.requests, &self.captchas, &self.sign_ins, &self.applications] {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
    }
}

/// A household has a /64 of IPv6 addresses; counting single ones would count nothing.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let mut octets = v6.octets();
            octets[8..].fill(0);
            IpAddr::from(octets)
        }
        v4 => v4,
    }
}

/// Counts every request of the API.
///
/// # Errors
/// 429 with `Retry-After`.
pub async fn count_requests(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    if let Some(context) = request.app_data::<web::Data<Context>>() {
        let from = address(request.request(), &context.settings.http.trusted_proxies);
        context.limits.count(Counted::Request, from)?;
    }
    next.call(request).await
}
