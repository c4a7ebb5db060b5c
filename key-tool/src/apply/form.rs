//! The form: what is asked of whom.

use ca_core::subject::SubjectType;
use serde_json::{Map, Value, json};

use super::Application;
use super::checks::{SUBJECT, objection};
use crate::server::Server;
use crate::trouble::{Exit, Trouble};

/// How often the server may object before the command gives up.
const TRIES: u8 = 10;
/// Questions that may stay unanswered.
const OPTIONAL: [&str; 2] = ["patronymic", "email"];

impl Application<'_> {
    /// Fills the form and makes the application; what the server objects to is asked again.
    pub(super) fn create(&mut self, server: &Server) -> Result<(), Trouble> {
        for _ in 0..TRIES {
            let form = self.form(server)?;
            match server.post_once("/api/v1/applications", &self.state.idempotency_key, &form) {
                Ok(view) => {
                    self.state.application = view["id"].as_str().map(str::to_owned);
                    return self.save();
                }
                Err(trouble) => self.ask_again(trouble)?,
            }
        }
        Err(Trouble::new("too-many-tries", Exit::Failed))
    }

    fn form(&mut self, server: &Server) -> Result<Value, Trouble> {
        let subject_type = self.subject_type()?;
        let (region, district) = self.place(server)?;
        let mut subject = Map::new();
        let questions = match subject_type {
            SubjectType::NaturalPerson => &SUBJECT[..6],
            SubjectType::SoleProprietor => &SUBJECT[..7],
            SubjectType::LegalEntity => &SUBJECT[..],
        };
        for name in questions {
            self.answer(name)?;
        }
        for name in questions {
            if let Some(answer) = self.state.answers.get(name).filter(|answer| !answer.is_empty()) {
                subject.insert((*name).to_owned(), json!(answer));
            }
        }
        let mut form = json!({
            "subject_type": subject_type.as_str(), "subject": subject, "region": region, "district": district,
            "purpose": self.answer("purpose")?,
        });
        let email = self.answer("email")?;
        if !email.is_empty() {
            form["email"] = json!(email);
        }
        form["offer_accepted"] = json!(self.is_accepted()?);
        self.save()?;
        Ok(form)
    }

    /// What was answered, or else what somebody types now. An optional question is answered by an empty line.
    pub(super) fn answer(&mut self, name: &'static str) -> Result<String, Trouble> {
        if let Some(answer) = self.state.answers.get(name) {
            return Ok(answer);
        }
        if !self.interactive {
            let missing = || Trouble::new("answer-missing", Exit::Failed).with("name", name);
            return if OPTIONAL.contains(&name) { Ok(String::new()) } else { Err(missing()) };
        }
        let question = self.speech.text(&format!("ask-{name}"), &[]);
        loop {
            let answer = self.speech.ask(&question)?;
            if answer.is_empty() && !OPTIONAL.contains(&name) {
                continue;
            }
            self.state.answers.set(name, &answer);
            let Some(rule) = objection(name, &self.state.answers, self.clock.now()) else {
                self.save()?;
                return Ok(answer);
            };
            self.speech.say_line(&config::texts::text(self.speech.0, &format!("field-{rule}"), &[]));
            // Either may be the mistyped one.
            if rule == "birth-date-differs" && self.state.answers.forget("pinfl") {
                self.answer("pinfl")?;
            }
        }
    }

    /// Where the server objects to fields, and somebody is there to mend them, they are forgotten; otherwise it stays a
    /// failure.
    pub(super) fn ask_again(&mut self, trouble: Trouble) -> Result<(), Trouble> {
        let fields = trouble.pointers().iter().filter_map(|pointer| pointer.rsplit('/').next());
        let forgotten = fields.filter(|field| self.state.answers.forget(field)).count();
        if !self.interactive || forgotten == 0 {
            return Err(trouble);
        }
        self.speech.say_line(&trouble.words(self.speech.0));
        Ok(())
    }

    fn subject_type(&mut self) -> Result<SubjectType, Trouble> {
        loop {
            if self.state.answers.get("subject_type").is_none() && self.interactive {
                for (index, kind) in SubjectType::ALL.into_iter().enumerate() {
                    let name =
                        config::texts::text(self.speech.0, &format!("subject-type-{}", kind.as_str()), &[]);
                    self.speech.say_line(&format!("  {}  {name}", index + 1));
                }
            }
            let answer = self.answer("subject_type")?;
            let by_number =
                answer.parse::<usize>().ok().and_then(|number| SubjectType::ALL.get(number.wrapping_sub(1)));
            let by_name = SubjectType::ALL.iter().find(|kind| kind.as_str() == answer);
            if let Some(kind) = by_number.or(by_name) {
                self.state.answers.set("subject_type", kind.as_str());
                return Ok(*kind);
            }
            self.state.answers.forget("subject_type");
            if !self.interactive {
                return Err(Trouble::new("answer-missing", Exit::Failed).with("name", "subject_type"));
            }
        }
    }

    /// Codes of region and district, chosen from the server's list.
    fn place(&mut self, server: &Server) -> Result<(u64, u64), Trouble> {
        let regions = server.get("/api/v1/regions")?;
        let region = self.choice("region", &regions["items"])?;
        let district = self.choice("district", &region["districts"])?;
        let code = |place: &Value| place["code"].as_u64().unwrap_or_default();
        Ok((code(&region), code(&district)))
    }

    fn choice(&mut self, name: &'static str, places: &Value) -> Result<Value, Trouble> {
        let places = places.as_array().cloned().unwrap_or_default();
        loop {
            if self.state.answers.get(name).is_none() && self.interactive {
                for place in &places {
                    let named = place["names"][self.speech.0.tag()].as_str().unwrap_or_default();
                    self.speech.say_line(&format!("  {}  {named}", place["code"]));
                }
            }
            let answer = self.answer(name)?;
            if let Some(place) = places.iter().find(|place| is_code(&place["code"], &answer)) {
                return Ok(place.clone());
            }
            self.state.answers.forget(name);
            if !self.interactive {
                return Err(Trouble::new("answer-missing", Exit::Failed).with("name", name));
            }
        }
    }

    /// The offer is accepted by a person, or in the file of answers.
    fn is_accepted(&mut self) -> Result<bool, Trouble> {
        if self.state.answers.is_true("offer_accepted") {
            return Ok(true);
        }
        if !self.interactive {
            return Err(Trouble::new("answer-missing", Exit::Failed).with("name", "offer_accepted"));
        }
        let yes = self.speech.text("yes", &[]);
        let question =
            self.speech.text("ask-offer_accepted", &[("yes", &yes), ("server", &self.state.server)]);
        if self.speech.ask(&question)?.to_lowercase() != yes.to_lowercase() {
            return Err(Trouble::new("offer-refused", Exit::Failed));
        }
        self.state.answers.set("offer_accepted", "true");
        Ok(true)
    }
}

fn is_code(code: &Value, answer: &str) -> bool {
    code.as_u64().is_some_and(|code| answer.parse() == Ok(code))
}
