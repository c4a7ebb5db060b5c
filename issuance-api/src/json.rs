//! JSON bodies, refused with the JSON pointer of what is wrong.

use actix_web::http::header;
use actix_web::{FromRequest, HttpMessage, HttpRequest, dev, web};
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_path_to_error::{Path, Segment};

use crate::context::Context;
use crate::problem::{FieldError, Kind, Problem};

/// A JSON body. A request without body and type is read as `{}`, so that commands without arguments need none.
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned + 'static> FromRequest for Json<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        let limit = limit(request, |context| context.settings.http.max_json_bytes);
        let content_type = request.content_type().to_owned();
        let length = declared_length(request);
        let payload = payload.take();
        Box::pin(async move {
            let body = collect(payload, length, limit).await?;
            // "No body" has no type; everything else must say that it is JSON, and be it.
            if body.is_empty() && content_type.is_empty() {
                return parse(b"{}").map(Json);
            }
            if !is_json(&content_type) {
                return Err(Problem::new(Kind::UnsupportedMediaType));
            }
            parse(&body).map(Json)
        })
    }
}

fn is_json(content_type: &str) -> bool {
    content_type.eq_ignore_ascii_case("application/json")
        || content_type.to_ascii_lowercase().ends_with("+json")
}

/// A limit from the settings; without settings nothing is let in.
pub(crate) fn limit(request: &HttpRequest, limit: impl Fn(&Context) -> usize) -> usize {
    request.app_data::<web::Data<Context>>().map_or(0, |context| limit(context))
}

/// What the client says the length of its body is.
pub(crate) fn declared_length(request: &HttpRequest) -> Option<usize> {
    request.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Reads a body of at most `limit` octets; a longer one is refused before it is read, if its length was declared.
pub(crate) async fn collect(
    mut payload: dev::Payload,
    declared: Option<usize>,
    limit: usize,
) -> Result<Vec<u8>, Problem> {
    if declared.is_some_and(|length| length > limit) {
        return Err(Problem::new(Kind::PayloadTooLarge));
    }
    let mut body = Vec::with_capacity(declared.unwrap_or(0));
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Problem::new(Kind::MalformedRequest))?;
        if body.len() + chunk.len() > limit {
            return Err(Problem::new(Kind::PayloadTooLarge));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// First whether it is JSON at all, so that nothing is said about the fields of a text that breaks off later.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let not_json = |reason: String| {
        Problem::new(Kind::MalformedRequest).because("", "field-not-json".to_owned(), &reason)
    };
    let text = std::str::from_utf8(body).map_err(|error| not_json(error.to_string()))?;
    serde_json::from_str::<IgnoredAny>(text).map_err(|error| not_json(error.to_string()))?;
    // serde would also take a list of the values in the order of the fields.
    if !text.trim_start().starts_with('{') {
        return Err(Problem::field("", "wrong-type"));
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let inner = error.inner();
        if inner.is_data() {
            objection(error.path(), &inner.to_string())
        } else {
            not_json(inner.to_string())
        }
    })
}

/// serde says in words what is wrong; the rule and the pointer are read out of them.
fn objection(path: &Path, words: &str) -> Problem {
    let mut pointer = pointer(path);
    let named = words.split('`').nth(1).unwrap_or_default();
    let mut below = |name: &str| {
        if !name.is_empty() && !pointer.ends_with(&format!("/{}", escaped(name))) {
            pointer = format!("{pointer}/{}", escaped(name));
        }
    };
    let rule = if words.starts_with("missing field") {
        below(named);
        "required"
    } else if words.starts_with("unknown field") {
        below(named);
        "unknown-field"
    } else if words.starts_with("duplicate field") {
        below(named);
        "duplicate-field"
    } else if words.starts_with("unknown variant") {
        "not-a-choice"
    } else {
        "wrong-type"
    };
    Problem::fields(vec![FieldError { fallback: words.to_owned(), ..FieldError::new(pointer, rule) }])
}

fn pointer(path: &Path) -> String {
    path.iter()
        .map(|segment| match segment {
            Segment::Seq { index } => format!("/{index}"),
            Segment::Map { key } => format!("/{}", escaped(key)),
            Segment::Enum { variant } => format!("/{}", escaped(variant)),
            Segment::Unknown => String::new(),
        })
        .collect()
}

/// RFC 6901 section 3.
fn escaped(name: &str) -> String {
    name.chars().take(64).collect::<String>().replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[allow(dead_code)]
        inner: Inner,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[allow(dead_code)]
        count: u8,
    }

    fn refused(body: &str) -> serde_json::Value {
        let problem = parse::<Outer>(body.as_bytes()).unwrap_err();
        let document = problem.document(config::Language::En, "");
        let pointers: Vec<_> = document.errors.iter().map(|e| format!("{} {}", e.pointer, e.rule)).collect();
        serde_json::json!([problem.kind().slug(), pointers])
    }

    #[test]
    fn an_objection_points_at_the_part_it_is_about() {
        for (body, expected) in [
            (
                r#"{"inner":{"count":"1"}}"#,
                serde_json::json!(["invalid-fields", ["/inner/count wrong-type"]]),
            ),
            (
                r#"{"inner":{"count":300}}"#,
                serde_json::json!(["invalid-fields", ["/inner/count wrong-type"]]),
            ),
            (r#"{"inner":{}}"#, serde_json::json!(["invalid-fields", ["/inner/count required"]])),
            (
                r#"{"inner":{"count":1,"a/b":2}}"#,
                serde_json::json!(["invalid-fields", ["/inner/a~1b unknown-field"]]),
            ),
            (r#"{"inner":{"count":1}"#, serde_json::json!(["malformed-request", [" not-json"]])),
            (r#"{"inner":{"count":1}} x"#, serde_json::json!(["malformed-request", [" not-json"]])),
            (r#"{"inner":{"count":"1"}"#, serde_json::json!(["malformed-request", [" not-json"]])),
            (&"[".repeat(20_000), serde_json::json!(["malformed-request", [" not-json"]])),
            ("", serde_json::json!(["malformed-request", [" not-json"]])),
            ("\u{0}", serde_json::json!(["malformed-request", [" not-json"]])),
            (r#"[{"count":1}]"#, serde_json::json!(["invalid-fields", [" wrong-type"]])),
        ] {
            assert_eq!(refused(body), expected, "{body}");
        }
    }
}
