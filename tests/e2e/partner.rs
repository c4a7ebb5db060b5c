//! A channel partner whose requests are signed by software that shares nothing with the product
//! (tests/oracles/sign_request.py).

use std::path::{Path, PathBuf};
use std::process::Command;

use reqwest::Method;
use serde_json::{Map, Value};

use crate::command::finish;
use crate::http::{Answer, Client, send};
use crate::person::next_number;
use crate::relying_party::oracles;
use crate::stack::Stack;

pub(crate) const APPLICATIONS: &str = "/api/v1/partner/applications";

#[derive(Clone)]
pub(crate) struct Partner {
    pub(crate) client: Client,
    base: String,
    key: PathBuf,
    key_id: String,
}

/// A request with its signature, to be sent as it is or spoiled first.
#[derive(Clone)]
pub(crate) struct Signed {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) fields: Map<String, Value>,
    pub(crate) body: Vec<u8>,
}

impl Partner {
    /// The one whose key `muhr up` made.
    pub(crate) fn of_the_sandbox(stack: &Stack) -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        let key = stack.folder.join("partner-my-gov-uz.key");
        let mode = std::fs::metadata(&key).expect("muhr up made it").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{} is readable by others", key.display());
        Self::with_key(stack, &key, "my-gov-uz")
    }

    pub(crate) fn with_key(stack: &Stack, key: &Path, key_id: &str) -> Self {
        let client = Client::new(&stack.base, next_number());
        Self { client, base: stack.base.clone(), key: key.to_owned(), key_id: key_id.to_owned() }
    }

    /// Signs; `more` are arguments of the signing program.
    pub(crate) fn sign(&self, method: Method, path: &str, body: &[u8], more: &[&str]) -> Signed {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("oracles/sign_request.py");
        let python = oracles().join("bin/python");
        assert!(python.is_file(), "{} is missing; `cargo xtask test` makes it", python.display());
        let mut command = Command::new(python);
        command.arg(script).arg(&self.key).args([
            &self.key_id,
            method.as_str(),
            &format!("{}{path}", self.base),
        ]);
        command.args(["--nonce", &next_number().to_string()]).args(more);
        let said = finish(&mut command, body).well();
        let fields = serde_json::from_str(&said.out).expect("a JSON object");
        Signed { method, path: path.to_owned(), fields, body: body.to_vec() }
    }

    pub(crate) fn send(&self, signed: &Signed) -> Answer {
        let mut request = self.client.request(signed.method.clone(), &signed.path);
        for (name, value) in &signed.fields {
            request = request.header(name, value.as_str().expect("a text"));
        }
        send(request.body(signed.body.clone()))
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send(&self.sign(Method::GET, path, b"", &[]))
    }

    pub(crate) fn apply(&self, form: &Value) -> Answer {
        self.send(&self.application(form))
    }

    /// A signed application that is not sent yet.
    pub(crate) fn application(&self, form: &Value) -> Signed {
        self.sign(Method::POST, APPLICATIONS, form.to_string().as_bytes(), &[])
    }
}

impl Signed {
    /// With another value of a field.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.insert(name.to_owned(), value.into());
        self
    }

    /// Without a field.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.fields.remove(name);
        self
    }

    pub(crate) fn field(&self, name: &str) -> &str {
        self.fields[name].as_str().expect("a text")
    }
}
