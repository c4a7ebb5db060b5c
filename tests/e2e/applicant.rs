//! Somebody who wants a certificate, from the captcha to the download.

use std::time::Duration;

use serde_json::{Value, json};

use crate::http::{Answer, Client};
use crate::key::Key;
use crate::person::Person;
use crate::picture;
use crate::stack::{Stack, eventually};

pub(crate) struct Applicant {
    pub(crate) person: Person,
    /// With a token once the phone is confirmed.
    pub(crate) client: Client,
}

/// One application, with the key that its certificate is for.
pub(crate) struct Application {
    pub(crate) id: String,
    pub(crate) client: Client,
    pub(crate) key: Key,
    pub(crate) subject_type: SubjectType,
    pub(crate) person: Person,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SubjectType {
    NaturalPerson,
    SoleProprietor,
    LegalEntity,
}

impl SubjectType {
    pub(crate) const ALL: [Self; 3] = [Self::NaturalPerson, Self::SoleProprietor, Self::LegalEntity];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::NaturalPerson => "natural_person",
            Self::SoleProprietor => "sole_proprietor",
            Self::LegalEntity => "legal_entity",
        }
    }
}

impl Applicant {
    /// Nobody knows them yet.
    pub(crate) fn new(stack: &Stack) -> Self {
        let person = Person::new();
        let client = Client::new(&stack.base, person.number);
        Self { person, client }
    }

    pub(crate) fn with_confirmed_phone(stack: &Stack) -> Self {
        let mut applicant = Self::new(stack);
        applicant.confirm_phone();
        applicant
    }

    /// Shows that the phone is theirs, and is known by a new token from now on.
    pub(crate) fn confirm_phone(&mut self) {
        let verification = self.ask_for_code().json();
        let answer = self.confirm(&verification, &self.received_code()).json();
        self.client = self.client.with_token(answer["token"].as_str().expect("a token"));
    }

    /// The captcha's id and the text a person would read off the picture.
    pub(crate) fn solve_captcha(&self) -> (String, String) {
        let captcha = self.client.post("/api/v1/captchas", &json!({})).json();
        let id = captcha["id"].as_str().expect("an id").to_owned();
        let solution = self.client.get(&format!("/sandbox/captchas/{id}")).json();
        (id, solution["answer"].as_str().expect("an answer").to_owned())
    }

    pub(crate) fn ask_for_code(&self) -> Answer {
        let (id, answer) = self.solve_captcha();
        self.ask_for_code_with(&id, &answer)
    }

    pub(crate) fn ask_for_code_with(&self, captcha: &str, answer: &str) -> Answer {
        let request = json!({"phone": self.person.phone, "captcha_id": captcha, "captcha_text": answer});
        self.client.post("/api/v1/phone-verifications", &request)
    }

    /// The newest code that was sent to their phone.
    pub(crate) fn received_code(&self) -> String {
        eventually("a message with a code", Duration::from_secs(5), || {
            let path = format!("/sandbox/messages?to={}", self.person.phone.replace('+', "%2B"));
            let messages = self.client.get(&path).json();
            let items = messages.as_array().or_else(|| messages["items"].as_array())?;
            items.iter().find_map(|message| message["code"].as_str().map(str::to_owned))
        })
    }

    pub(crate) fn confirm(&self, verification: &Value, code: &str) -> Answer {
        let id = verification["id"].as_str().expect("an id");
        self.client.post(&format!("/api/v1/phone-verifications/{id}/confirmation"), &json!({"code": code}))
    }

    /// What a correct application says.
    pub(crate) fn form(&self, subject_type: SubjectType) -> Value {
        form(&self.person, subject_type)
    }

    pub(crate) fn apply(&self, subject_type: SubjectType) -> Application {
        self.apply_with(subject_type, Key::p256())
    }

    pub(crate) fn apply_with(&self, subject_type: SubjectType, key: Key) -> Application {
        let answer = self.client.post("/api/v1/applications", &self.form(subject_type)).is(201).json();
        assert_eq!(answer["state"], "draft", "{answer}");
        assert_eq!(answer["subject_type"], subject_type.name());
        let id = answer["id"].as_str().expect("an id").to_owned();
        Application { id, client: self.client.clone(), key, subject_type, person: self.person.clone() }
    }
}

/// What a correct application says about this person.
pub(crate) fn form(person: &Person, subject_type: SubjectType) -> Value {
    let mut subject = json!({
        "pinfl": person.pinfl, "passport": person.passport, "surname": person.surname,
        "given_name": person.given_name, "patronymic": person.patronymic, "birth_date": person.birth_date,
    });
    match subject_type {
        SubjectType::NaturalPerson => {}
        SubjectType::SoleProprietor => subject["stir"] = json!(person.stir),
        SubjectType::LegalEntity => {
            subject["stir"] = json!(person.organization_stir);
            subject["organization"] = json!(format!("«ZARAFSHON NON {}» MCHJ", person.number));
            subject["title"] = json!("Direktor");
            subject["head_pinfl"] = json!(person.pinfl);
        }
    }
    json!({
        "subject_type": subject_type.name(), "subject": subject, "region": "1703", "district": "1703202",
        "email": format!("applicant{}@example.uz", person.number), "purpose": "Elektron hujjatlarni imzolash",
        "offer_accepted": true,
    })
}

impl Application {
    /// One that waits for the officer.
    pub(crate) fn under_review(stack: &Stack, subject_type: SubjectType) -> Self {
        let application = Applicant::with_confirmed_phone(stack).apply(subject_type);
        application.complete();
        application.submit().json();
        application
    }

    /// One whose certificate is there.
    pub(crate) fn issued(stack: &Stack, subject_type: SubjectType) -> Self {
        let application = Self::under_review(stack, subject_type);
        crate::officer::Officer::reviewer(stack).approve(&application.id).json();
        application.wait_until("issued");
        application
    }

    /// Every fact that submission asks for.
    pub(crate) fn complete(&self) {
        self.put_csr(&self.key.csr()).json_or_empty();
        self.put_document("photo", "image/jpeg", picture::photo()).json_or_empty();
        self.put_document("selfie", "image/jpeg", picture::selfie()).json_or_empty();
        self.pay();
    }

    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/api/v1/applications/{}{rest}", self.id)
    }

    pub(crate) fn put_csr(&self, der: &[u8]) -> Answer {
        self.client.put(&self.path("/csr"), "application/pkcs10", der)
    }

    pub(crate) fn put_document(&self, kind: &str, content_type: &str, bytes: &[u8]) -> Answer {
        self.client.put(&self.path(&format!("/documents/{kind}")), content_type, bytes)
    }

    pub(crate) fn invoice(&self) -> Value {
        self.client.get(&self.path("/invoice")).json()
    }

    /// Pays through the sandbox, which plays the provider's calls, and sees the invoice paid.
    pub(crate) fn pay(&self) {
        let invoice = self.invoice();
        let id = invoice["id"].as_str().expect("an id");
        self.client.post(&format!("/sandbox/payments/{id}"), &json!({})).json_or_empty();
        eventually("the invoice is paid", Duration::from_secs(5), || {
            (self.invoice()["state"] == "paid").then_some(())
        });
    }

    pub(crate) fn submit(&self) -> Answer {
        self.client.post(&self.path("/submission"), &json!({}))
    }

    pub(crate) fn withdraw(&self) -> Answer {
        self.client.post(&self.path("/withdrawal"), &json!({}))
    }

    pub(crate) fn view(&self) -> Value {
        self.client.get(&self.path("")).json()
    }

    #[track_caller]
    pub(crate) fn wait_until(&self, state: &str) -> Value {
        self.wait_long_until(state, Duration::from_secs(20))
    }

    #[track_caller]
    pub(crate) fn wait_long_until(&self, state: &str, patience: Duration) -> Value {
        eventually(&format!("application {} is {state}", self.id), patience, || {
            let view = self.view();
            (view["state"] == state).then_some(view)
        })
    }

    /// The certificate's serial number, in lower-case hex.
    pub(crate) fn serial(&self) -> String {
        let view = self.view();
        view["certificate"]["serial"].as_str().unwrap_or_else(|| panic!("no serial in {view}")).to_owned()
    }

    /// The certificate in DER.
    pub(crate) fn certificate(&self) -> Vec<u8> {
        self.certificate_as("application/pkix-cert").body
    }

    pub(crate) fn certificate_as(&self, media_type: &str) -> Answer {
        let answer = self.client.get_as(&self.path("/certificate"), media_type).is(200);
        assert!(answer.header("content-type").starts_with(media_type), "{:?}", answer.headers);
        answer
    }
}

impl Answer {
    /// A success, with or without a body.
    #[track_caller]
    pub(crate) fn json_or_empty(&self) -> Value {
        if self.status == 204 { Value::Null } else { self.json() }
    }
}
