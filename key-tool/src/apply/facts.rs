//! What a draft still needs, one fact after the other, and its submission.

use std::path::Path;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ca_core::signer::Signer;
use ca_core::statement::{Statement, statement_text};
use serde_json::{Value, json};

use super::Application;
use crate::server::Server;
use crate::trouble::{Exit, Trouble};
use crate::{cms, disk, request};

/// How often the payment is looked for.
const PAUSE: Duration = Duration::from_secs(2);
/// The API's limit for pictures and papers.
const MAX_DOCUMENT: u64 = 5 << 20;
/// No application needs more steps than this.
const STEPS: u8 = 20;

impl Application<'_> {
    /// Adds what the server names as missing until nothing is, and submits. An application that is somebody else's move is
    /// left as it is.
    pub(super) fn complete(&mut self, server: &Server) -> Result<Value, Trouble> {
        let mut returned = true;
        for _ in 0..STEPS {
            let view = server.get(&self.path("")?)?;
            if view["state"] != "draft" {
                return Ok(view);
            }
            if std::mem::take(&mut returned) && view["refusal"].is_object() {
                self.tell_refusal(&view);
                self.mend(server)?;
                continue;
            }
            match view["missing"].as_array().and_then(|missing| missing.first()).and_then(Value::as_str) {
                Some(fact) => self.add(server, fact)?,
                None => return self.submit(server, &view),
            }
        }
        Err(Trouble::new("too-many-tries", Exit::Failed))
    }

    fn add(&mut self, server: &Server, fact: &str) -> Result<(), Trouble> {
        match fact {
            "csr" => self.send_request(server),
            "payment" => self.wait_for_payment(server),
            "photo" => self.send_document(server, "photo", "photo"),
            "selfie" => self.send_document(server, "selfie", "selfie"),
            "power-of-attorney" => self.send_document(server, "power_of_attorney", "power-of-attorney"),
            _ => Err(Trouble::new("unknown-fact", Exit::Failed).with("name", fact)),
        }
    }

    fn send_request(&self, server: &Server) -> Result<(), Trouble> {
        let request = request::certification_request(&self.key.signer, "Muhr")?;
        server.put(&self.path("/csr")?, "application/pkcs10", request)?;
        self.speech.say("request-sent", &[]);
        Ok(())
    }

    /// A returned application: pictures that were named anew are sent again, others on request.
    fn mend(&mut self, server: &Server) -> Result<(), Trouble> {
        for (name, kind) in [("photo", "photo"), ("selfie", "selfie")] {
            let again = self.interactive && {
                let question = self.speech.text(&format!("ask-{name}-again"), &[]);
                let path = self.speech.ask(&question)?;
                let given = !path.is_empty();
                if given {
                    self.state.answers.set(name, &path);
                }
                given
            };
            if again || (!self.interactive && self.state.answers.get(name).is_some()) {
                self.send_document(server, name, kind)?;
            }
        }
        Ok(())
    }

    fn send_document(&mut self, server: &Server, name: &'static str, kind: &str) -> Result<(), Trouble> {
        loop {
            let path = self.answer(name)?;
            let sent = document(Path::new(&path)).and_then(|(media_type, octets)| {
                server.put(&self.path(&format!("/documents/{kind}"))?, media_type, octets)
            });
            match sent {
                Ok(_) => {
                    self.speech.say("document-sent", &[("path", &path)]);
                    return self.save();
                }
                Err(trouble) => {
                    let mendable = trouble.exit() == Exit::File || trouble.slug() == Some("document-refused");
                    self.state.answers.forget(name);
                    if !self.interactive || !mendable {
                        return Err(trouble);
                    }
                    self.speech.say_line(&trouble.words(self.speech.0));
                }
            }
        }
    }

    /// Says where to pay and looks until it is paid, as long as there is patience.
    fn wait_for_payment(&self, server: &Server) -> Result<(), Trouble> {
        let path = self.path("/invoice")?;
        let mut invoice = server.get(&path)?;
        self.tell_invoice(&invoice);
        if self.state.answers.is_true("sandbox") {
            let id = invoice["id"].as_str().unwrap_or_default();
            server.post(&format!("/sandbox/payments/{id}"), &json!({}))?;
        }
        let mut waited = Duration::ZERO;
        loop {
            invoice = server.get(&path)?;
            match invoice["state"].as_str() {
                Some("paid") => break,
                Some("open") if waited < self.patience => {
                    std::thread::sleep(PAUSE);
                    waited += PAUSE;
                }
                _ => {
                    let number = invoice["number"].as_str().unwrap_or_default();
                    return Err(Trouble::new("not-paid", Exit::Waiting).with("number", number));
                }
            }
        }
        self.speech.say("paid", &[]);
        Ok(())
    }

    fn tell_invoice(&self, invoice: &Value) {
        let text = |name: &str| invoice[name].as_str().unwrap_or_default();
        let amount = config::texts::amount(invoice["amount_tiyin"].as_i64().unwrap_or_default());
        let values = [
            ("number", text("number")),
            ("amount", amount.as_str()),
            ("rule", text("rule_text").trim_end_matches('.')),
        ];
        self.speech.say("invoice", &values);
        for link in invoice["pay_links"].as_array().into_iter().flatten() {
            let part = |name: &str| link[name].as_str().unwrap_or_default();
            self.speech.say_line(&format!("  {}: {}", part("provider"), part("url")));
        }
    }

    /// Signs the statement with the new key, after it was written here anew: nothing else is ever signed for a server.
    fn submit(&self, server: &Server, view: &Value) -> Result<Value, Trouble> {
        let theirs = server.download(&self.path("/statement")?, "text/plain")?;
        let ours = self.statement(view)?;
        if theirs != ours {
            return Err(Trouble::new("other-statement", Exit::NotTrusted));
        }
        self.speech.say("signing", &[]);
        for line in String::from_utf8_lossy(&ours).lines() {
            self.speech.say_line(&format!("  {line}"));
        }
        let certificates =
            std::slice::from_ref(
                self.key.content.certificates.first().ok_or_else(|| {
                    Trouble::new("no-certificate-in-file", Exit::File).about(&self.key.path)
                })?,
            );
        let signed = cms::sign(&self.key.signer, certificates, &ours, true, self.clock.now())?;
        let view =
            server.post(&self.path("/submission")?, &json!({ "statement_cms": STANDARD.encode(signed) }))?;
        self.speech.say("submitted", &[]);
        Ok(view)
    }

    fn statement(&self, view: &Value) -> Result<Vec<u8>, Trouble> {
        let other = || Trouble::new("other-statement", Exit::NotTrusted);
        let answers = &self.state.answers;
        let typed = |name: &str| answers.get(name).ok_or_else(other);
        let subject_type = view["subject_type"].as_str().unwrap_or_default();
        let pinfl = typed("pinfl")?;
        let stir = if subject_type == "natural_person" { None } else { Some(typed("stir")?) };
        let key = digest(&SHA256, self.key.signer.public_key());
        Ok(statement_text(&Statement {
            application: self.state.application.as_deref().unwrap_or_default(),
            subject_type,
            pinfl: &pinfl,
            stir: stir.as_deref(),
            key_sha256: key.as_ref().try_into().map_err(|_| other())?,
            purpose: view["purpose"].as_str().unwrap_or_default(),
            created_at: view["created_at"].as_str().and_then(|at| at.parse().ok()).ok_or_else(other)?,
        }))
    }
}

/// A picture or paper with its media type, by its first octets.
fn document(path: &Path) -> Result<(&'static str, Vec<u8>), Trouble> {
    let octets = disk::read(path, MAX_DOCUMENT)?;
    let media_type = match octets.as_slice() {
        [0xff, 0xd8, 0xff, ..] => "image/jpeg",
        [0x89, b'P', b'N', b'G', ..] => "image/png",
        [b'%', b'P', b'D', b'F', ..] => "application/pdf",
        _ => return Err(Trouble::new("not-a-picture", Exit::File).about(path)),
    };
    Ok((media_type, octets))
}
