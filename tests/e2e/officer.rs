//! A registration officer, reviewer, revocation officer, auditor or administrator.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::command;
use crate::http::{Answer, Client};
use crate::stack::Stack;

pub(crate) struct Officer<'a> {
    pub(crate) client: Client,
    pub(crate) login: String,
    stack: &'a Stack,
}

impl<'a> Officer<'a> {
    pub(crate) fn reviewer(stack: &'a Stack) -> Self {
        Self::named(stack, "reviewer")
    }

    pub(crate) fn revocation(stack: &'a Stack) -> Self {
        Self::named(stack, "revocation")
    }

    /// One of the logins that the sandbox made, each named after its role; or a new one named `second-ROLE`.
    pub(crate) fn named(stack: &'a Stack, login: &str) -> Self {
        Self { client: stack.signed_in(login), login: login.to_owned(), stack }
    }

    /// Somebody else who asks what officers ask.
    pub(crate) fn pretending(stack: &'a Stack, client: Client) -> Self {
        Self { client, login: String::new(), stack }
    }

    /// Everything that waits for review, page after page.
    pub(crate) fn queue(&self) -> Vec<Value> {
        pages(&self.client, "/api/v1/officer/applications?state=under_review")
    }

    /// Approves, and has another reviewer approve too where the first signature is not enough.
    pub(crate) fn approve(&self, application: &str) -> Answer {
        let first = self.approve_alone(application);
        if first.status != 200 || first.json()["state"] != "under_review" {
            return first;
        }
        let other = if self.login == "reviewer2" { "reviewer" } else { "reviewer2" };
        Self::named(self.stack, other).approve_alone(application)
    }

    /// One signature.
    pub(crate) fn approve_alone(&self, application: &str) -> Answer {
        let path = format!("/api/v1/officer/applications/{application}/approval");
        self.sign_and_post(&path, "", &json!({}))
    }

    pub(crate) fn reject(&self, application: &str, reason: &str, note: &str) -> Answer {
        let path = format!("/api/v1/officer/applications/{application}/rejection");
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("reason", reason)
            .append_pair("note", note)
            .finish();
        self.sign_and_post(&path, &format!("?{query}"), &json!({"reason": reason, "note": note}))
    }

    pub(crate) fn hand_back(&self, application: &str, reason: &str, note: &str) -> Answer {
        let path = format!("/api/v1/officer/applications/{application}/return");
        self.client.post(&path, &json!({"reason": reason, "note": note}))
    }

    pub(crate) fn revoke(&self, serial: &str, reason: &str) -> Answer {
        let path = format!("/api/v1/certificates/{serial}/revocation");
        self.sign_and_post(&path, &format!("?reason={reason}"), &json!({"reason": reason}))
    }

    pub(crate) fn suspend(&self, serial: &str) -> Answer {
        self.sign_and_post(&format!("/api/v1/certificates/{serial}/suspension"), "", &json!({}))
    }

    pub(crate) fn restore(&self, serial: &str) -> Answer {
        self.sign_and_post(&format!("/api/v1/certificates/{serial}/restoration"), "", &json!({}))
    }

    /// Proposes an act with its signature.
    pub(crate) fn propose(&self, act: &Value) -> Answer {
        let fields = act.as_object().expect("the fields of an act").iter();
        let query =
            form_urlencoded::Serializer::new(String::new())
                .extend_pairs(fields.map(|(name, value)| {
                    (name, value.as_str().map_or_else(|| value.to_string(), str::to_owned))
                }))
                .finish();
        let statement = self.client.get(&format!("/api/v1/officer/acts/statement?{query}"));
        self.post_signed(&statement, "/api/v1/officer/acts", act)
    }

    /// Puts a proposal in force, or signs it as one of those who have to.
    pub(crate) fn confirm(&self, act: &str) -> Answer {
        self.sign_and_post(&format!("/api/v1/officer/acts/{act}/confirmation"), "", &json!({}))
    }

    /// Where there is no statement to sign, the answer says why, as the decision itself would.
    fn sign_and_post(&self, path: &str, query: &str, body: &Value) -> Answer {
        // A statement about what no URL can hold is not asked for; the decision itself is refused.
        if query.len() > 16_384 {
            return self.client.post(path, body);
        }
        let statement = self.client.get(&format!("{path}-statement{query}"));
        self.post_signed(&statement, path, body)
    }

    fn post_signed(&self, statement: &Answer, path: &str, body: &Value) -> Answer {
        let mut body = body.clone();
        if statement.status == 200 {
            body["signature"] = self.sign(&statement.body).into();
        }
        self.client.post(path, &body)
    }

    /// What `openssl cms -sign` writes with the officer's key, in Base64.
    pub(crate) fn sign(&self, statement: &[u8]) -> String {
        sign_with(&key_of(self.stack, &self.login), statement)
    }
}

/// The officer's key and certificate: those that `muhr up` made, or new ones that `muhr officer certify` has certified.
pub(crate) fn key_of(stack: &Stack, login: &str) -> PathBuf {
    let file = stack.folder.join("sandbox-officers").join(format!("{login}.pem"));
    if !file.exists() {
        let role = login.trim_start_matches("second-").trim_end_matches('2');
        certify(stack, login, role, &file);
    }
    file
}

/// Makes a key with OpenSSL and has it certified; both go into the file.
pub(crate) fn certify(stack: &Stack, login: &str, role: &str, file: &Path) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [key, csr] = ["key.pem", "csr.pem"].map(|name| folder.path().join(name));
    command::run(
        "openssl",
        [
            "req",
            "-new",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            "/CN=any",
            "-keyout",
            path(&key),
            "-out",
            path(&csr),
        ],
    )
    .well();
    let certified = stack.muhr(&["officer", "certify", login, "--role", role, "--csr", path(&csr)]).well();
    let key = fs::read_to_string(key).expect("OpenSSL wrote it");
    fs::write(file, format!("{key}{}", certified.out)).expect("the folder is ours");
}

/// A detached signature over a statement (CMS in DER), in Base64.
pub(crate) fn sign_with(key: &Path, statement: &[u8]) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [text, cms] = ["statement", "signature"].map(|name| folder.path().join(name));
    fs::write(&text, statement).expect("the folder is ours");
    command::run(
        "openssl",
        [
            "cms",
            "-sign",
            "-binary",
            "-md",
            "sha256",
            "-signer",
            path(key),
            "-in",
            path(&text),
            "-outform",
            "DER",
            "-out",
            path(&cms),
        ],
    )
    .well();
    openssl::base64::encode_block(&fs::read(cms).expect("OpenSSL wrote it"))
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a path of ours is text")
}

/// A change of a certificate's status, by an officer or by its holder.
pub(crate) fn change_status(client: &Client, serial: &str, change: &str, body: &Value) -> Answer {
    client.post(&format!("/api/v1/certificates/{serial}/{change}"), body)
}

/// All items of a list that pages by `after`.
pub(crate) fn pages(client: &Client, path: &str) -> Vec<Value> {
    let mut items = Vec::new();
    let mut next = path.to_owned();
    loop {
        let page = client.get(&next).json();
        items.extend(page["items"].as_array().expect("items").iter().cloned());
        let Some(after) = page["next"].as_str() else { return items };
        next = format!("{path}{}after={after}", if path.contains('?') { '&' } else { '?' });
    }
}
