//! JSON-RPC as Payme and Paynet speak it: one request in a body, and an answer with its `id`.

use serde_json::{Map, Value, json};

/// The request is not JSON.
pub(super) const NOT_JSON: i64 = -32_700;
/// It is no request.
pub(super) const NOT_A_REQUEST: i64 = -32_600;
/// There is no such method.
pub(super) const NO_METHOD: i64 = -32_601;

/// A request.
#[derive(Debug, PartialEq)]
pub(super) struct Request {
    /// To be repeated in the answer; null if there was none.
    pub(super) id: Value,
    /// What to do.
    pub(super) method: String,
    /// With what.
    pub(super) params: Map<String, Value>,
}

/// Reads a request; what is none leaves its `id`, if it had one, and the error's code.
pub(super) fn read(body: &[u8]) -> Result<Request, (Value, i64)> {
    let value: Value = serde_json::from_slice(body).map_err(|_| (Value::Null, NOT_JSON))?;
    let Value::Object(mut request) = value else { return Err((Value::Null, NOT_A_REQUEST)) };
    let id = match request.remove("id") {
        Some(id @ (Value::Number(_) | Value::String(_))) => id,
        _ => Value::Null,
    };
    let Some(Value::String(method)) = request.remove("method") else { return Err((id, NOT_A_REQUEST)) };
    match request.remove("params") {
        None | Some(Value::Null) => Ok(Request { id, method, params: Map::new() }),
        Some(Value::Object(params)) => Ok(Request { id, method, params }),
        Some(_) => Err((id, NOT_A_REQUEST)),
    }
}

/// What was done.
pub(super) fn result(id: &Value, result: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "result": result})
}

/// Why it was not done.
pub(super) fn error(id: &Value, code: i64, message: &Value, data: Option<&str>) -> Value {
    let mut error = json!({"code": code, "message": message});
    if let Some(data) = data {
        error["data"] = data.into();
    }
    json!({"jsonrpc": "2.0", "id": id, "error": error})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_request_is_told_apart() {
        let code = |body: &str| read(body.as_bytes()).map_err(|(id, code)| (id.to_string(), code));
        let null = || "null".to_owned();
        for body in ["", "{", "{\"id\":1", "\u{0}", "{} {}"] {
            assert_eq!(code(body), Err((null(), NOT_JSON)), "{body}");
        }
        for body in
            ["[]", "1", "\"x\"", "null", "{}", r#"{"method":1}"#, r#"{"method":"x","params":[],"id":{}}"#]
        {
            assert_eq!(code(body), Err((null(), NOT_A_REQUEST)), "{body}");
        }
        assert_eq!(code(r#"{"id":7}"#), Err(("7".to_owned(), NOT_A_REQUEST)));
        assert!(read(&[0xff, 0xfe]).is_err());
        let request = read(br#"{"jsonrpc":"2.0","id":"a","method":"m","params":{"x":1}}"#).unwrap();
        assert_eq!((request.id, request.method.as_str()), (json!("a"), "m"));
        assert_eq!(request.params["x"], 1);
        assert_eq!(read(br#"{"method":"m"}"#).unwrap().params, Map::new());
    }
}
