//! The back office: officers sign in, review what applicants sent, register those who walk in, and read what was done.

use actix_web::web;
use utoipa::OpenApi;

mod password;
mod sessions;
mod totp;

/// Everything below `/api/v1/officer`.
pub(crate) fn configure(cfg: &mut web::ServiceConfig) {
    sessions::configure(cfg);
    password::configure(cfg);
    totp::configure(cfg);
}

#[derive(OpenApi)]
#[openapi(paths(
    sessions::sign_in,
    sessions::current,
    sessions::sign_out,
    password::change,
    totp::enrol,
    totp::confirm
))]
struct Paths;

/// The back office's part of the API description.
pub(crate) fn openapi() -> utoipa::openapi::OpenApi {
    Paths::openapi()
}
