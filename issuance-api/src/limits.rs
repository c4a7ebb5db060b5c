//! How often is too often, per network address. What is counted per phone or account is counted in the database.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use actix_web::ResponseError;
use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::web;
use ca_core::Timestamp;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::auth::sha256;
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

/// Logins nobody has that are remembered at a time; more are not locked, so that memory stays flat.
const STRANGERS: usize = 10_000;

/// How long a stranger is remembered after the last attempt.
const QUIET: Duration = Duration::from_secs(24 * 3600);

/// Wrong sign-ins in a row at a login nobody has, and until when it rests.
#[derive(Debug, Clone, Copy)]
struct Stranger {
    failures: u32,
    locked_until: Timestamp,
}

/// One counter per address and kind, in memory: a restart forgives.
pub struct Limits {
    requests: DefaultKeyedRateLimiter<IpAddr>,
    captchas: DefaultKeyedRateLimiter<IpAddr>,
    sign_ins: DefaultKeyedRateLimiter<IpAddr>,
    applications: DefaultKeyedRateLimiter<IpAddr>,
    clock: DefaultClock,
    strangers: Mutex<HashMap<[u8; 32], Stranger>>,
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
            strangers: Mutex::default(),
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

    /// Until when a login nobody has rests: it is locked like an officer's, or the lock would tell who exists.
    pub fn stranger_locked_until(&self, login: &str, now: Timestamp) -> Option<Timestamp> {
        let strangers = self.strangers.lock().unwrap_or_else(PoisonError::into_inner);
        strangers.get(&sha256(login.as_bytes())).map(|s| s.locked_until).filter(|until| *until > now)
    }

    /// Counts a wrong sign-in at a login nobody has; from the `failures`-th in a row it rests for `lockout`.
    pub fn stranger_failed(&self, login: &str, failures: u32, lockout: Duration, now: Timestamp) {
        let mut strangers = self.strangers.lock().unwrap_or_else(PoisonError::into_inner);
        let key = sha256(login.as_bytes());
        if strangers.len() >= STRANGERS && !strangers.contains_key(&key) {
            return;
        }
        let stranger = strangers.entry(key).or_insert(Stranger { failures: 0, locked_until: now });
        stranger.failures += 1;
        stranger.locked_until = if stranger.failures >= failures { now.plus(lockout) } else { now };
    }

    /// Forgets addresses and strangers that have been quiet, so that memory stays flat.
    pub fn sweep(&self, now: Timestamp) {
        let mut strangers = self.strangers.lock().unwrap_or_else(PoisonError::into_inner);
        strangers.retain(|_, stranger| now.since(stranger.locked_until) < QUIET);
        drop(strangers);
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

/// Counts every request of the API; answers 429 with `Retry-After` when there are too many.
///
/// # Errors
/// The inner service's.
pub async fn count_requests(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<EitherBody<impl MessageBody>>, actix_web::Error> {
    if let Some(context) = request.app_data::<web::Data<Context>>() {
        let from = address(request.request(), &context.settings.http.trusted_proxies);
        if let Err(problem) = context.limits.count(Counted::Request, from) {
            return Ok(request.into_response(problem.error_response()).map_into_right_body());
        }
    }
    Ok(next.call(request).await?.map_into_left_body())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_nobody_has_rests_after_as_many_failures_as_an_officers() {
        let settings = config::Settings::load(&config::settings::Sources::default(), &[]).unwrap();
        let limits = Limits::new(&settings.limits);
        let now = Timestamp::from_unix_seconds(1_790_000_000);
        let lockout = Duration::from_secs(900);
        for _ in 0..4 {
            limits.stranger_failed("nobody", 5, lockout, now);
            assert_eq!(limits.stranger_locked_until("nobody", now), None);
        }
        limits.stranger_failed("nobody", 5, lockout, now);
        assert_eq!(limits.stranger_locked_until("nobody", now), Some(now.plus(lockout)));
        assert_eq!(limits.stranger_locked_until("another", now), None);
        assert_eq!(limits.stranger_locked_until("nobody", now.plus(lockout)), None);
        limits.sweep(now.plus(lockout));
        limits.stranger_failed("nobody", 5, lockout, now.plus(lockout));
        assert!(limits.stranger_locked_until("nobody", now.plus(lockout)).is_some());
    }
}
