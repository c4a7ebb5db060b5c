//! The back office: officers sign in, review what applicants sent, register those who walk in, and read what was done.

use actix_web::web;
use utoipa::OpenApi;

mod acts;
mod applications;
mod audit;
mod authority;
mod decisions;
mod evidence;
mod messages;
mod password;
mod preview;
mod recovery_codes;
mod registrations;
mod sessions;
pub(crate) mod statements;
mod statistics;
#[cfg(test)]
mod tests;
mod totp;

use crate::payments::{counter, refunds};

pub(crate) use sessions::secret;

/// Everything below `/api/v1/officer`.
pub(crate) fn configure(cfg: &mut web::ServiceConfig) {
    sessions::configure(cfg);
    password::configure(cfg);
    totp::configure(cfg);
    recovery_codes::configure(cfg);
    applications::configure(cfg);
    evidence::configure(cfg);
    decisions::configure(cfg);
    audit::configure(cfg);
    acts::configure(cfg);
    authority::configure(cfg);
    statistics::configure(cfg);
    messages::configure(cfg);
    counter::configure(cfg);
    refunds::configure(cfg);
}

#[derive(OpenApi)]
#[openapi(paths(
    sessions::sign_in,
    sessions::current,
    sessions::list,
    sessions::end,
    sessions::sign_out,
    password::change,
    totp::enrol,
    totp::confirm,
    recovery_codes::renew,
    applications::queue,
    applications::get,
    registrations::register_walk_in,
    evidence::get,
    decisions::approval_statement,
    decisions::approve,
    decisions::rejection_statement,
    decisions::reject,
    decisions::send_back,
    decisions::reasons,
    audit::list,
    statistics::get,
    acts::list,
    acts::proposal_statement,
    acts::propose,
    acts::confirmation_statement,
    acts::confirm,
    acts::password_half,
    acts::refuse,
    acts::withdraw,
    authority::accounts,
    authority::fee_table,
    authority::profiles,
    authority::partners,
    messages::list,
    messages::resend,
    counter::record,
    counter::list,
    counter::confirm,
    counter::cancel,
    refunds::list,
    refunds::execute,
    refunds::abandon,
    refunds::reconciled,
))]
struct Paths;

/// The back office's part of the API description.
pub(crate) fn openapi() -> utoipa::openapi::OpenApi {
    Paths::openapi()
}
