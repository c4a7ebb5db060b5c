//! Forms that come back: fields by name, from a browser that was given the form.

use actix_web::{FromRequest, HttpRequest, dev, web};
use futures_util::future::LocalBoxFuture;
use serde_json::{Map, Value};

use crate::api::{Failure, Problem};
use crate::visitor::Visitor;

/// Largest form without files, in octets.
pub(crate) const LIMIT: usize = 256 * 1024;

/// The fields of a form, and who filled it in.
#[derive(Debug)]
pub(crate) struct Posted {
    pub(crate) visitor: Visitor,
    pub(crate) fields: Fields,
}

/// Values by name. A name that is not there is the empty text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    /// What was typed, without white space around it.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.trim())
    }

    /// What was typed, to the last space: a password.
    pub(crate) fn verbatim(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// This code is what was chosen.
    pub(crate) fn is(&self, name: &str, code: &u32) -> bool {
        self.get(name) == code.to_string()
    }

    /// With another value.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.0.retain(|(known, _)| known != name);
        self.0.push((name.to_owned(), value.to_owned()));
    }

    /// These fields and those of `newer`, which win.
    pub(crate) fn merged(mut self, newer: &Self) -> Self {
        for (name, value) in &newer.0 {
            self.set(name, value);
        }
        self
    }

    /// Those with one of these names.
    pub(crate) fn only(&self, names: &[&str]) -> Vec<(String, String)> {
        self.0
            .iter()
            .filter(|(name, value)| names.contains(&name.as_str()) && !value.is_empty())
            .cloned()
            .collect()
    }

    /// What was filled in of these names, as a JSON object.
    pub(crate) fn object(&self, names: &[&str]) -> Map<String, Value> {
        let filled = names.iter().map(|name| (*name, self.get(name))).filter(|(_, value)| !value.is_empty());
        filled.map(|(name, value)| (name.to_owned(), Value::from(value))).collect()
    }
}

impl From<Vec<(String, String)>> for Fields {
    fn from(fields: Vec<(String, String)>) -> Self {
        Self(fields)
    }
}

impl FromRequest for Posted {
    type Error = actix_web::Error;
    type Future = LocalBoxFuture<'static, Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        let visitor = Visitor::extract(request);
        let body = web::Bytes::from_request(request, payload);
        Box::pin(async move {
            let visitor = visitor.await?;
            let body = body.await.map_err(|_| too_large())?;
            let fields = Fields(form_urlencoded::parse(&body).into_owned().collect());
            if visitor.gave(fields.get("csrf")) {
                Ok(Self { visitor, fields })
            } else {
                Err(Failure::ForeignForm.into())
            }
        })
    }
}

/// The problem that the API would name.
pub(crate) fn too_large() -> Failure {
    Failure::Problem(Box::new(Problem {
        kind: "payload-too-large".to_owned(),
        status: 413,
        ..Problem::default()
    }))
}

/// What is wrong with which field, said beside it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Objections {
    /// What is wrong with the whole; shown above the form.
    pub(crate) whole: String,
    /// It was decided on a statement that is not the present one any more: it has to be looked at again.
    pub(crate) outdated: bool,
    fields: Vec<(String, String)>,
}

impl Objections {
    /// Nothing is wrong.
    pub(crate) const NONE: Self = Self { whole: String::new(), outdated: false, fields: Vec::new() };

    /// Those of a problem: `/subject/pinfl` belongs to the field `pinfl`.
    pub(crate) fn of(problem: &Problem) -> Self {
        let fields = problem.errors.iter().map(|error| {
            let name = error.pointer.rsplit('/').next().unwrap_or_default();
            (name.to_owned(), error.detail.clone())
        });
        let fields: Vec<_> = fields.collect();
        let whole = match problem.kind.as_str() {
            "invalid-fields" => problem.title.clone(),
            // What does not fit has no field on the page where it is decided on.
            "act-does-not-fit" => {
                fields.iter().fold(problem.title.clone(), |said, (_, detail)| format!("{said}. {detail}"))
            }
            _ => format!("{}. {}", problem.title, problem.detail),
        };
        Self { whole, outdated: problem.kind == "statement-outdated", fields }
    }

    /// Those of a failure that the visitor can do something about on the same page.
    ///
    /// # Errors
    /// Any other failure.
    pub(crate) fn answerable(failure: Failure) -> Result<Self, Failure> {
        match failure {
            Failure::Problem(problem) if problem.is_answerable() => Ok(Self::of(&problem)),
            other => Err(other),
        }
    }

    /// One objection to one field.
    pub(crate) fn to(name: &str, detail: String) -> Self {
        Self { whole: detail.clone(), fields: vec![(name.to_owned(), detail)], ..Self::NONE }
    }

    /// The same with what is wrong with fields that stand nowhere on the page.
    pub(crate) fn with_unplaced(mut self, names: &[&str]) -> Self {
        for (_, detail) in self.fields.iter().filter(|(name, _)| names.contains(&name.as_str())) {
            self.whole = format!("{}. {detail}", self.whole.trim_end_matches('.'));
        }
        self
    }

    /// What is wrong with this field; empty if nothing is.
    pub(crate) fn on(&self, name: &str) -> &str {
        self.fields.iter().find(|(known, _)| known == name).map_or("", |(_, detail)| detail)
    }

    /// Nothing is wrong.
    pub(crate) fn is_empty(&self) -> bool {
        self.whole.is_empty()
    }
}
