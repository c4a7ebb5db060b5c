//! What every page has: its language, its frame, and how values are written in it.

use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::{HttpResponse, HttpResponseBuilder};
use askama::Template;
use ca_core::Timestamp;
use ca_core::calendar::{tashkent_date, tashkent_time};
use config::Language;
use config::texts::{amount, find, text, text_or};
use time::Date;

use crate::api::Failure;
use crate::assets;
use crate::officer::{Account, DOORS, Room};
use crate::visitor::Visitor;

/// Which scripts a page has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Script {
    /// Comfort: what is typed is kept, live parts, pictures.
    Page,
    /// Also keys and signatures.
    Keys,
}

/// The frame of a page: everything that a template asks for besides its own values.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) language: Language,
    /// Proof that a form on this page was given to this browser.
    pub(crate) csrf: String,
    /// Path and query of this page, to stay on it in another language.
    pub(crate) place: String,
    /// The visitor has a sign-in of this part of the portal.
    pub(crate) signed_in: bool,
    /// This is a page of the officers.
    pub(crate) office: bool,
    /// Single keys do something (WCAG 2.2, 2.1.4: they can be switched off).
    pub(crate) keys: bool,
    /// The officer whose page it is.
    pub(crate) officer: Option<Account>,
    /// The server's time.
    pub(crate) now: Timestamp,
    /// The names of forms whose data have arrived, so that the browser may forget what was typed.
    pub(crate) kept: &'static str,
    script: Script,
}

impl Page {
    pub(crate) fn of(visitor: &Visitor, now: Timestamp) -> Self {
        Self {
            language: visitor.language,
            csrf: visitor.csrf(),
            place: visitor.place.clone(),
            signed_in: visitor.token().is_some(),
            office: visitor.place.starts_with(crate::visitor::OFFICER),
            keys: visitor.keys,
            officer: None,
            now,
            kept: "",
            script: Script::Page,
        }
    }

    /// This page is this officer's.
    pub(crate) fn of_officer(self, officer: Account) -> Self {
        Self { officer: Some(officer), signed_in: true, ..self }
    }

    /// This page is looked at there.
    pub(crate) fn at(self, place: &str) -> Self {
        Self { place: place.to_owned(), ..self }
    }

    /// This page makes keys or signatures.
    pub(crate) fn with_keys(self) -> Self {
        Self { script: Script::Keys, ..self }
    }

    /// What was typed in these forms has arrived.
    pub(crate) fn received(self, kept: &'static str) -> Self {
        Self { kept, ..self }
    }

    /// The text of a key of the pages.
    pub(crate) fn t(&self, key: &str) -> String {
        text(self.language, &format!("portal-{key}"), &[])
    }

    /// The same with one value.
    pub(crate) fn with(&self, key: &str, name: &str, value: &str) -> String {
        text(self.language, &format!("portal-{key}"), &[(name, value)])
    }

    /// The same with two.
    pub(crate) fn with_two(&self, key: &str, first: &(&str, &str), second: &(&str, &str)) -> String {
        text(self.language, &format!("portal-{key}"), &[*first, *second])
    }

    /// The text of a key of the officers' pages.
    pub(crate) fn o(&self, key: &str) -> String {
        text(self.language, &format!("office-{key}"), &[])
    }

    /// The same with one value.
    pub(crate) fn o_with(&self, key: &str, name: &str, value: &str) -> String {
        text(self.language, &format!("office-{key}"), &[(name, value)])
    }

    /// The same with several.
    pub(crate) fn o_values(&self, key: &str, values: &[(&str, &str)]) -> String {
        text(self.language, &format!("office-{key}"), values)
    }

    /// The text of a name among others of its kind; the name itself if nobody has written one.
    pub(crate) fn o_name(&self, group: &str, name: &str) -> String {
        text_or(self.language, &format!("office-{group}-{name}"), &[], name)
    }

    /// Who did something: an officer by login, everybody else by what they are.
    pub(crate) fn actor(&self, actor: &str) -> String {
        let (kind, name) = actor.split_once(':').unwrap_or((actor, ""));
        format!("{} {name}", self.o_name("actor", kind)).trim_end().to_owned()
    }

    /// The login of the officer whose page it is; empty if it is nobody's.
    pub(crate) fn login(&self) -> &str {
        self.officer.as_ref().map_or("", |officer| &officer.login)
    }

    /// Where this officer may go, and whether this page is there.
    pub(crate) fn rooms(&self) -> Vec<(&'static Room, String, bool)> {
        let path = self.place.split('?').next().unwrap_or_default();
        let rooms = self.officer.iter().flat_map(Account::rooms);
        rooms.map(|room| (room, self.o(&format!("room-{}", room.name)), room.holds(path))).collect()
    }

    /// The doors of the administration: name, path, and whether this page is behind it.
    pub(crate) fn doors(&self) -> [(&'static str, &'static str, bool); 5] {
        let place = self.place.split('?').next().unwrap_or_default();
        DOORS.map(|(name, path)| (name, path, path == place))
    }

    /// The text of a name of the API: a state, a reason, a role.
    pub(crate) fn name(&self, group: &str, name: &str) -> String {
        text(self.language, &format!("{group}-{name}"), &[])
    }

    /// The steps of an application with their numbers.
    pub(crate) fn wizard(&self) -> [(String, u8); 7] {
        [
            ("who", 1),
            ("phone", 2),
            ("identity", 3),
            ("key", 4),
            ("payment", 5),
            ("documents", 6),
            ("review", 7),
        ]
        .map(|(name, number)| (self.t(&format!("step-{name}")), number))
    }

    /// What a kind of subject is, for those who are not sure.
    pub(crate) fn kind_hint(&self, kind: &str) -> String {
        self.t(&format!("kind-hint-{kind}"))
    }

    /// The label of a field of the API.
    pub(crate) fn field(&self, name: &str) -> String {
        self.t(&format!("field-{name}"))
    }

    /// What to write into it.
    pub(crate) fn field_hint(&self, name: &str) -> String {
        self.t(&format!("field-hint-{name}"))
    }

    /// What a command did to an application.
    pub(crate) fn event(&self, command: &str) -> String {
        self.t(&format!("event-{command}"))
    }

    /// A payment provider as people know it; one that is set up under a name of its own has that name.
    pub(crate) fn provider(&self, name: &str) -> String {
        text_or(self.language, &format!("portal-provider-{name}"), &[], name)
    }

    /// A rule of a key's password.
    pub(crate) fn rule(&self, name: &str) -> String {
        self.t(&format!("rule-{name}"))
    }

    /// What kind of document this is.
    pub(crate) fn document(&self, kind: &str) -> String {
        self.t(&format!("document-{kind}"))
    }

    /// What has to be on it.
    pub(crate) fn document_hint(&self, kind: &str) -> String {
        self.t(&format!("document-hint-{kind}"))
    }

    /// Where on it the face belongs.
    pub(crate) fn guide_hint(&self, kind: &str) -> String {
        self.t(&format!("guide-{kind}"))
    }

    /// What a certificate's status means for whoever relies on it.
    pub(crate) fn certificate_says(&self, status: &str) -> String {
        self.t(&format!("certificate-{status}"))
    }

    /// A size, rounded up to whole kilobytes.
    pub(crate) fn size(&self, bytes: &i64) -> String {
        self.with("kilobytes", "count", &((bytes + 1023) / 1024).to_string())
    }

    /// An amount with its currency.
    pub(crate) fn money(&self, tiyin: &i64) -> String {
        self.with("money", "amount", &amount(*tiyin))
    }

    /// A day as people write it here.
    pub(crate) fn day(&self, at: &Timestamp) -> String {
        self.date(tashkent_date(*at))
    }

    /// A day of the calendar as people write it here.
    pub(crate) fn date(&self, day: Date) -> String {
        format!("{:02}.{:02}.{:04}", day.day(), u8::from(day.month()), day.year())
    }

    /// A moment, in Tashkent's time, to the minute.
    pub(crate) fn moment(&self, at: &Timestamp) -> String {
        let time = tashkent_time(*at);
        let clock = time.split_once(' ').map_or("", |(_, clock)| clock.get(..5).unwrap_or_default());
        format!("{}, {clock}", self.day(at))
    }

    /// Languages with their own names, and whether each is this page's.
    pub(crate) fn languages(&self) -> [(&'static str, &'static str, bool); 5] {
        [
            ("uz", "Oʻzbekcha", Language::Uz),
            ("uz-Cyrl", "Ўзбекча", Language::UzCyrl),
            ("kaa", "Qaraqalpaqsha", Language::Kaa),
            ("ru", "Русский", Language::Ru),
            ("en", "English", Language::En),
        ]
        .map(|(tag, name, language)| (tag, name, language == self.language))
    }

    /// This page in another language.
    pub(crate) fn in_language(&self, tag: &str) -> String {
        let mark = if self.place.contains('?') { '&' } else { '?' };
        format!("{}{mark}lang={tag}", self.place)
    }

    /// This page with the other kind of puzzle.
    pub(crate) fn with_puzzle(&self, kind: &str) -> String {
        let path = self.place.split('?').next().unwrap_or_default();
        let query = self.place.split_once('?').map_or("", |(_, query)| query);
        let asked = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name != "puzzle");
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(asked)
            .append_pair("puzzle", kind)
            .finish();
        format!("{path}?{query}")
    }

    pub(crate) fn style(&self) -> Option<&'static assets::Asset> {
        assets::STYLE.as_ref()
    }

    pub(crate) fn icon(&self) -> Option<&'static assets::Asset> {
        assets::ICON.as_ref()
    }

    pub(crate) fn office_style(&self) -> Option<&'static assets::Asset> {
        assets::OFFICE_STYLE.as_ref().filter(|_| self.office)
    }

    /// The scripts of this page that this program was built with.
    pub(crate) fn scripts(&self) -> Vec<&'static assets::Asset> {
        let keys = assets::KEYS_SCRIPT.as_ref().filter(|_| self.script == Script::Keys);
        assets::SCRIPT.iter().chain(keys).collect()
    }

    /// What the scripts say to people, as JSON that cannot end its element. Values stand as `{name}` in it.
    pub(crate) fn script_texts(&self) -> String {
        let said = include_str!("../web/texts.txt").lines().filter(|key| !key.is_empty());
        let said: serde_json::Map<String, serde_json::Value> = said
            .map(|key| {
                (key.to_owned(), find_open(self.language, key).unwrap_or_else(|| key.to_owned()).into())
            })
            .collect();
        // A map of texts is always JSON.
        serde_json::to_string(&said).unwrap_or_default().replace('<', "\\u003c")
    }

    /// The server's time for scripts to compare with the device's.
    pub(crate) fn server_time(&self) -> String {
        self.now.to_string()
    }
}

/// A text whose values are filled in later: each `{ $name }` becomes `{name}`.
fn find_open(language: Language, key: &str) -> Option<String> {
    const NAMES: [&str; 14] = [
        "minutes", "seconds", "file", "folder", "count", "size", "days", "hours", "name", "date", "number",
        "width", "height", "hash",
    ];
    let open = NAMES.map(|name| format!("{{{name}}}"));
    let values: Vec<(&str, &str)> = NAMES.iter().copied().zip(open.iter().map(String::as_str)).collect();
    find(language, key, &values).or_else(|| find(Language::En, key, &values))
}

/// The page as an answer; never kept by anybody, since it is somebody's.
///
/// # Errors
/// The template cannot be drawn.
pub(crate) fn show(visitor: &Visitor, template: &impl Template) -> Result<HttpResponse, Failure> {
    show_as(StatusCode::OK, visitor, template)
}

/// The same with another status.
///
/// # Errors
/// The template cannot be drawn.
pub(crate) fn show_as(
    status: StatusCode,
    visitor: &Visitor,
    template: &impl Template,
) -> Result<HttpResponse, Failure> {
    let mut response = HttpResponseBuilder::new(status)
        .insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::VARY, "accept-language, cookie"))
        .body(template.render()?);
    visitor.remember(&mut response);
    Ok(response)
}

/// Go there and look (RFC 9110 section 15.4.4).
pub(crate) fn see(place: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, place)).finish()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// Every template of this crate by its name.
    fn templates() -> Vec<(String, String)> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
        let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        files.map(|path| (path.display().to_string(), fs::read_to_string(path).unwrap())).collect()
    }

    #[test]
    fn every_text_that_a_page_asks_for_is_there_in_every_language() {
        for (name, template) in templates() {
            for call in ["p.t(\"", "p.with(\"", "p.with_two(\""] {
                for rest in template.split(call).skip(1) {
                    let key = rest.split('"').next().unwrap();
                    for language in Language::ALL {
                        let values =
                            ["amount", "count", "day", "moment", "phone", "size"].map(|name| (name, "x"));
                        let found = find(language, &format!("portal-{key}"), &values);
                        assert!(found.is_some(), "{name}: portal-{key} in {}", language.tag());
                    }
                }
            }
        }
    }

    #[test]
    fn every_text_of_the_scripts_is_there_in_every_language_with_its_values_open() {
        for key in include_str!("../web/texts.txt").lines().filter(|key| !key.is_empty()) {
            for language in Language::ALL {
                let found = find(language, key, &[]).or_else(|| find_open(language, key));
                assert!(found.is_some_and(|text| !text.contains("{$")), "{key} in {}", language.tag());
            }
        }
    }

    #[test]
    fn pages_have_nothing_that_their_policy_forbids() {
        for (name, template) in templates() {
            for forbidden in
                ["style=", "<style", "onclick", "onload", "onsubmit", "javascript:", "http://", "https://"]
            {
                assert!(!template.contains(forbidden), "{name} has {forbidden}");
            }
            let (posts, proofs) =
                (template.matches("method=\"post\"").count(), template.matches("name=\"csrf\"").count());
            assert!(posts <= proofs, "{name}: every form proves whose it is");
        }
    }
}
