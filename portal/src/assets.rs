//! Style sheet, pictures and scripts, built into the program and named by their content.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};

/// A file whose name changes when its content does.
#[derive(Debug)]
pub(crate) struct Asset {
    /// Where it is served.
    pub(crate) path: &'static str,
    /// For the `integrity` attribute (Subresource Integrity, W3C).
    pub(crate) integrity: &'static str,
    media_type: &'static str,
    content: &'static [u8],
    /// The same under gzip.
    packed: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// Mounts every asset.
pub(crate) fn configure(cfg: &mut web::ServiceConfig) {
    for asset in [&STYLE, &OFFICE_STYLE, &ICON, &SCRIPT, &KEYS_SCRIPT].into_iter().flatten() {
        cfg.route(
            asset.path,
            web::get().to(move |request: HttpRequest| async move { asset.answer(&request) }),
        );
    }
}

impl Asset {
    fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let accepted = request.headers().get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
        let gzip = accepted.is_some_and(|accepted| accepted.split(',').any(|name| name.trim() == "gzip"));
        let mut answer = HttpResponse::Ok();
        answer
            .insert_header((header::CONTENT_TYPE, self.media_type))
            .insert_header((header::CACHE_CONTROL, "public, max-age=31536000, immutable"))
            .insert_header((header::VARY, "accept-encoding"));
        if gzip {
            answer.insert_header((header::CONTENT_ENCODING, "gzip")).body(self.packed)
        } else {
            answer.body(self.content)
        }
    }
}
