//! Puts the sources on top of each other and names every key that does not fit.

use std::collections::BTreeMap;
use std::path::Path;

use config_rs::{Config, Environment, File, FileFormat};
use serde_json::{Map, Value};

use super::{DEFAULT, Problem, Settings, SettingsError, Sources};

/// Tables whose keys are names the operator chooses, with what each entry looks like.
const NAMED: [(&str, &[(&str, Field)]); 2] = [
    (
        "payments.webhook",
        &[("secret_file", Field::Text), ("pay_url", Field::Text), ("callback_addresses", Field::List)],
    ),
    (
        "partners",
        &[
            ("channel", Field::Text),
            ("keys", Field::Texts),
            ("certificates_sha256", Field::List),
            ("daily_quota", Field::Number(0)),
            ("per_minute", Field::Number(300)),
        ],
    ),
];

/// A field of a named entry.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    /// A text; empty if absent.
    Text,
    /// A whole number with its default.
    Number(i64),
    /// A list; empty if absent.
    List,
    /// A table of texts, under names the operator chooses.
    Texts,
}

impl Field {
    fn default(self) -> Value {
        match self {
            Self::Text => "".into(),
            Self::Number(number) => number.into(),
            Self::List => Value::Array(Vec::new()),
            Self::Texts => Value::Object(Map::new()),
        }
    }
}

/// The settings as far as they can be read, and what cannot: a default stands in for it.
pub(super) fn read(sources: &Sources) -> Result<(Settings, Vec<Problem>), SettingsError> {
    let defaults = as_json(Config::builder().add_source(File::from_str(DEFAULT, FileFormat::Toml)))?;
    let mut merged = as_json(builder(sources)?)?;
    let mut problems = Vec::new();
    fit(&mut merged, &defaults, "", &mut problems);
    let mut settings = loop {
        match serde_path_to_error::deserialize::<_, Settings>(merged.clone()) {
            Ok(settings) => break settings,
            Err(error) => {
                let key = error.path().to_string();
                problems.push(Problem::new(&key, error.inner().to_string()));
                // One value less to stumble over each time, until the defaults alone would be left.
                if !put_default(&mut merged, &defaults, &key) {
                    return Err(SettingsError::Problems(problems));
                }
            }
        }
    };
    settings.effective = effective(&merged);
    settings.complete();
    Ok((settings, problems))
}

/// A text that is the same for the same settings, from wherever they came.
fn effective(merged: &Value) -> String {
    let mut lines = BTreeMap::new();
    flatten(merged, "", &mut lines);
    if let Some(url) = lines.get_mut("database.url") {
        // Secrets are in files of their own, but for this one.
        *url = without_password(url);
    }
    lines.iter().fold(String::new(), |text, (key, value)| text + key + " = " + value + "\n")
}

fn flatten(value: &Value, key: &str, lines: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(table) => {
            table.iter().for_each(|(name, inner)| flatten(inner, &join(key, name), lines))
        }
        other => {
            lines.insert(key.to_owned(), other.to_string());
        }
    }
}

fn without_password(url: &str) -> String {
    let named = url.split_once("://").and_then(|(scheme, rest)| {
        let (user, place) = rest.rsplit_once('@')?;
        Some(format!("{scheme}://{}@{place}", user.split(':').next().unwrap_or_default()))
    });
    named.unwrap_or_else(|| url.to_owned())
}

fn builder(
    sources: &Sources,
) -> Result<config_rs::ConfigBuilder<config_rs::builder::DefaultState>, SettingsError> {
    let mut builder = Config::builder().add_source(File::from_str(DEFAULT, FileFormat::Toml));
    if let Some(file) = &sources.file {
        builder = builder.add_source(File::from_str(&read_file(file)?, FileFormat::Toml));
    }
    // Everything in the environment is text here; `fit` reads it as what the default is.
    let environment = Environment::with_prefix("MUHR")
        .separator("__")
        .source(Some(sources.environment.clone().into_iter().collect()));
    builder = builder.add_source(environment);
    for (key, value) in &sources.overrides {
        builder = builder.set_override(key, value.as_str()).map_err(syntax)?;
    }
    Ok(builder)
}

fn read_file(file: &Path) -> Result<String, SettingsError> {
    std::fs::read_to_string(file)
        .map_err(|reason| SettingsError::Unreadable { file: file.display().to_string(), reason })
}

fn as_json(
    builder: config_rs::ConfigBuilder<config_rs::builder::DefaultState>,
) -> Result<Value, SettingsError> {
    builder.build().and_then(Config::try_deserialize).map_err(syntax)
}

fn syntax(error: config_rs::ConfigError) -> SettingsError {
    SettingsError::Syntax(error.to_string())
}

/// Reads texts as the type of the default, and takes out what is unknown or of another type.
fn fit(value: &mut Value, default: &Value, key: &str, problems: &mut Vec<Problem>) {
    if let Some((_, entry)) = NAMED.iter().find(|(name, _)| *name == key) {
        return fit_named(value, default, entry, key, problems);
    }
    let fitting = match (&mut *value, default) {
        (Value::Object(table), Value::Object(known)) => {
            table.retain(|name, _| known.contains_key(name) || unknown(&join(key, name), problems));
            for (name, inner) in table {
                fit(inner, &known[name], &join(key, name), problems);
            }
            return;
        }
        (Value::String(text), Value::Number(_)) => text.trim().parse::<i64>().ok().map(Value::from),
        (Value::String(text), Value::Bool(_)) => text.trim().parse::<bool>().ok().map(Value::from),
        (Value::String(text), Value::Array(_)) => Some(
            text.split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(|part| Value::from(part.to_owned()))
                .collect(),
        ),
        (Value::Number(number), Value::Number(_)) => number.as_i64().map(Value::from),
        (Value::Bool(_), Value::Bool(_))
        | (Value::String(_), Value::String(_))
        | (Value::Array(_), Value::Array(_)) => {
            return;
        }
        _ => None,
    };
    *value = fitting.unwrap_or_else(|| {
        problems.push(Problem::new(key, format!("{} is expected", kind(default))));
        default.clone()
    });
}

fn fit_named(
    value: &mut Value,
    default: &Value,
    entry: &[(&str, Field)],
    key: &str,
    problems: &mut Vec<Problem>,
) {
    let Value::Object(table) = value else {
        problems.push(Problem::new(key, "a table is expected"));
        *value = default.clone();
        return;
    };
    let empty: Map<String, Value> =
        entry.iter().map(|(name, field)| ((*name).to_owned(), field.default())).collect();
    for (name, inner) in table {
        let key = join(key, name);
        let mut texts = Vec::new();
        if let Value::Object(given) = inner {
            for (field, _) in entry.iter().filter(|(_, kind)| *kind == Field::Texts) {
                texts.extend(given.remove(*field).map(|value| (*field, value)));
            }
        }
        fit(inner, &Value::Object(empty.clone()), &key, problems);
        if let Value::Object(given) = inner {
            for (field, mut value) in texts {
                fit_texts(&mut value, &join(&key, field), problems);
                given.insert(field.to_owned(), value);
            }
            for (field, default) in &empty {
                given.entry(field).or_insert_with(|| default.clone());
            }
        }
    }
}

/// A table of texts under any names.
fn fit_texts(value: &mut Value, key: &str, problems: &mut Vec<Problem>) {
    let Value::Object(table) = value else {
        problems.push(Problem::new(key, "a table is expected"));
        *value = Field::Texts.default();
        return;
    };
    for (name, text) in table {
        fit(text, &Field::Text.default(), &join(key, name), problems);
    }
}

fn unknown(key: &str, problems: &mut Vec<Problem>) -> bool {
    problems.push(Problem::new(key, "there is no such setting"));
    false
}

fn join(key: &str, name: &str) -> String {
    if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") }
}

fn kind(default: &Value) -> &'static str {
    match default {
        Value::Number(_) => "a whole number",
        Value::Bool(_) => "true or false",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
        Value::String(_) | Value::Null => "a text",
    }
}

/// Puts the default in the place of `section.key`, or takes out the named entry it lies in; false if neither helps.
fn put_default(merged: &mut Value, defaults: &Value, key: &str) -> bool {
    // serde names a list's element `key[0]`: the whole list is replaced.
    let plain = key.split('[').next().unwrap_or_default();
    let pointer = pointer(plain);
    if let (Some(value), Some(default)) = (merged.pointer_mut(&pointer), defaults.pointer(&pointer)) {
        let other = value != default;
        *value = default.clone();
        return other;
    }
    NAMED.iter().any(|(table, _)| {
        let entry = plain.strip_prefix(table).and_then(|rest| rest.strip_prefix('.')?.split('.').next());
        let entries = merged.pointer_mut(&self::pointer(table)).and_then(Value::as_object_mut);
        entries.zip(entry).is_some_and(|(entries, entry)| entries.remove(entry).is_some())
    })
}

fn pointer(key: &str) -> String {
    key.split('.').map(|part| format!("/{part}")).collect()
}
