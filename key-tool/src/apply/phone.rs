//! Whose phone it is: a picture, an SMS code, a token.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ca_core::subject::Phone;
use serde_json::{Value, json};

use super::Application;
use crate::server::Server;
use crate::trouble::{Exit, Trouble};

/// How often somebody may mistype a picture or a code before the command gives up.
const TRIES: u8 = 5;

impl Application<'_> {
    /// Shows the token that is remembered, or gets a new one.
    pub(super) fn identify(&mut self, server: &mut Server) -> Result<(), Trouble> {
        if let Some(token) = &self.state.token {
            server.show(token);
            match server.get("/api/v1/applications?limit=1") {
                Ok(_) => return Ok(()),
                Err(trouble) if trouble.slug() == Some("unauthenticated") => {}
                Err(trouble) => return Err(trouble),
            }
            *server = Server::at(&self.state.server, self.speech)?;
        }
        let token = self.confirm_phone(server)?;
        server.show(&token);
        self.state.token = Some(token);
        self.save()
    }

    fn confirm_phone(&mut self, server: &Server) -> Result<String, Trouble> {
        let verification = self.ask_for_code(server)?;
        let id = verification["id"].as_str().unwrap_or_default().to_owned();
        let path = format!("/api/v1/phone-verifications/{id}/confirmation");
        for _ in 0..TRIES {
            let code = self.code(server)?;
            match server.post(&path, &json!({ "code": code })) {
                Ok(answer) => return Ok(answer["token"].as_str().unwrap_or_default().to_owned()),
                Err(trouble) if self.interactive && trouble.slug() == Some("code-wrong") => {
                    self.speech.say_line(&trouble.words(self.speech.0));
                }
                Err(trouble) => return Err(trouble),
            }
        }
        Err(Trouble::new("too-many-tries", Exit::Failed))
    }

    fn ask_for_code(&mut self, server: &Server) -> Result<Value, Trouble> {
        for _ in 0..TRIES {
            let phone = self.answer("phone")?;
            // As the server writes it, whatever spaces were typed.
            let phone = Phone::parse(&phone).map_or(phone, |read| read.as_e164().to_owned());
            self.state.answers.set("phone", &phone);
            let captcha = server.post("/api/v1/captchas", &json!({}))?;
            let text = self.captcha(server, &captcha)?;
            let form = json!({ "phone": phone, "captcha_id": captcha["id"], "captcha_text": text });
            match server.post("/api/v1/phone-verifications", &form) {
                Ok(verification) => {
                    self.speech.say("code-sent", &[("phone", &phone)]);
                    return Ok(verification);
                }
                Err(trouble) if self.interactive && trouble.slug() == Some("captcha-wrong") => {
                    self.speech.say_line(&trouble.words(self.speech.0));
                }
                Err(trouble) => self.ask_again(trouble)?,
            }
        }
        Err(Trouble::new("too-many-tries", Exit::Failed))
    }

    /// The text in the picture: from a person, or from the sandbox.
    fn captcha(&self, server: &Server, captcha: &Value) -> Result<String, Trouble> {
        if self.state.answers.is_true("sandbox") {
            let id = captcha["id"].as_str().unwrap_or_default();
            let solution = server.get(&format!("/sandbox/captchas/{id}"))?;
            return Ok(solution["answer"].as_str().unwrap_or_default().to_owned());
        }
        self.need_terminal("captcha")?;
        let picture = picture(captcha)?;
        let mut file = tempfile::Builder::new()
            .prefix("muhr-")
            .suffix(".png")
            .tempfile()
            .map_err(|error| Trouble::writing(&std::env::temp_dir(), &error))?;
        std::io::Write::write_all(&mut file, &picture)
            .map_err(|error| Trouble::writing(file.path(), &error))?;
        self.speech.say("picture", &[("path", &file.path().display().to_string())]);
        self.speech.ask(&self.speech.text("ask-captcha", &[]))
    }

    /// The digits of the SMS: from a person, or from the sandbox.
    fn code(&self, server: &Server) -> Result<String, Trouble> {
        if !self.state.answers.is_true("sandbox") {
            self.need_terminal("code")?;
            return self.speech.ask(&self.speech.text("ask-code", &[]));
        }
        let phone = self.state.answers.get("phone").unwrap_or_default().replace('+', "%2B");
        for _ in 0..20 {
            let messages = server.get(&format!("/sandbox/messages?to={phone}"))?;
            let items = messages["items"].as_array().cloned().unwrap_or_default();
            if let Some(code) = items.iter().find_map(|message| message["code"].as_str()) {
                return Ok(code.to_owned());
            }
            std::thread::sleep(std::time::Duration::from_millis(250));
        }
        Err(Trouble::new("answer-missing", Exit::Failed).with("name", "code"))
    }

    fn need_terminal(&self, name: &'static str) -> Result<(), Trouble> {
        if self.interactive {
            Ok(())
        } else {
            Err(Trouble::new("answer-missing", Exit::Failed).with("name", name))
        }
    }
}

/// The octets of a data URI (RFC 2397).
fn picture(captcha: &Value) -> Result<Vec<u8>, Trouble> {
    let uri = captcha["image"].as_str().unwrap_or_default();
    let octets = uri.split_once("base64,").and_then(|(_, text)| STANDARD.decode(text).ok());
    octets.ok_or_else(|| {
        Trouble::new("server-answer", Exit::Server).with("server", "captcha").with("status", 201)
    })
}
