use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use fluent_syntax::ast::{Entry, Expression, InlineExpression, PatternElement};

use super::*;

/// Every key of a language with the values it stands on, read by Fluent's own parser.
fn catalogue(language: Language) -> BTreeMap<String, BTreeSet<String>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("locales").join(language.tag());
    let mut keys = BTreeMap::new();
    for file in std::fs::read_dir(directory).unwrap() {
        let path = file.unwrap().path();
        let source = std::fs::read_to_string(&path).unwrap();
        let resource =
            fluent_syntax::parser::parse(source).unwrap_or_else(|(_, errors)| panic!("{path:?}: {errors:?}"));
        for entry in resource.body {
            let Entry::Message(message) = entry else { continue };
            let pattern = message.value.unwrap();
            let values = pattern.elements.iter().filter_map(|element| match element {
                PatternElement::TextElement { .. } => None,
                PatternElement::Placeable {
                    expression: Expression::Inline(InlineExpression::VariableReference { id }),
                } => Some(id.name.clone()),
                other => panic!("{}: only simple values are used, not {other:?}", message.id.name),
            });
            let again = keys.insert(message.id.name.clone(), values.collect());
            assert!(again.is_none(), "{} is there twice", message.id.name);
        }
    }
    keys
}

#[test]
fn every_key_exists_in_every_language_with_the_same_values() {
    let english = catalogue(Language::En);
    assert!(english.len() > 200);
    for language in Language::ALL {
        assert_eq!(catalogue(language), english, "{language}");
    }
}

#[test]
fn every_language_is_built_into_the_program() {
    for language in Language::ALL {
        for (key, names) in catalogue(language) {
            let values: Vec<_> = names.iter().map(|name| (name.as_str(), "VALUE")).collect();
            let text = find(language, &key, &values).unwrap_or_else(|| panic!("{language} {key}"));
            assert_eq!(text.matches("VALUE").count(), names.len(), "{text}");
            assert!(!text.contains(['\u{2068}', '\u{2069}', '{']), "{text}");
        }
    }
}

#[test]
fn each_language_is_written_in_its_own_letters() {
    let cyrillic = |text: &str| text.chars().any(|letter| matches!(letter, '\u{400}'..='\u{4ff}'));
    for language in Language::ALL {
        let expected = matches!(language, Language::UzCyrl | Language::Ru);
        for (key, names) in catalogue(language) {
            let values: Vec<_> = names.iter().map(|name| (name.as_str(), "1")).collect();
            let text = find(language, &key, &values).unwrap();
            assert_eq!(cyrillic(&text), expected, "{language} {key}: {text}");
            // Uzbek writes oʻ, gʻ and ʼ with letters of their own (U+02BB, U+02BC), never with quotes.
            let quotes = language != Language::En && text.contains(['\'', '`', '‘', '’']);
            assert!(!quotes, "{language} {key}: {text}");
        }
    }
}

#[test]
fn a_text_that_is_missing_is_never_a_panic() {
    assert_eq!(text(Language::Kaa, "field-no-such-rule", &[]), "field-no-such-rule");
    assert_eq!(text_or(Language::Ru, "field-no-such-rule", &[], "the rule"), "the rule");
    assert_eq!(text_or(Language::Ru, "sms-code", &[], "no value was given"), "no value was given");
    assert_eq!(text(Language::En, "", &[]), "");
}

#[test]
fn names_of_the_api_are_keys() {
    assert_eq!(text(Language::Ru, "state-under_review", &[]), "На рассмотрении");
    assert_eq!(text(Language::En, "channel-my.gov.uz", &[]), "through my.gov.uz");
}

#[test]
fn an_amount_is_written_in_so_m_with_its_thousands_apart() {
    assert_eq!(amount(2_625_000), "26\u{a0}250");
    assert_eq!(amount(100), "1");
    assert_eq!(amount(12_345_678_905), "123\u{a0}456\u{a0}789,05");
    assert_eq!(amount(0), "0");
    assert_eq!(amount(-3_750_000), "−37\u{a0}500");
}

/// The names that a `name` method of ca-core gives its variants.
fn names(source: &str) -> Vec<&str> {
    let names: Vec<_> = source.split("=> \"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(names.len() > 10);
    names
}

#[test]
fn every_refusal_of_the_rules_has_its_text() {
    let has = |key: &str| Language::ALL.into_iter().all(|language| find(language, key, &[]).is_some());
    for name in names(include_str!("../../../ca-core/src/subject/form.rs")) {
        assert!(has(&format!("field-{name}")) || has(&format!("warning-{name}")), "{name}");
    }
    for name in names(include_str!("../../../ca-core/src/csr/refusal.rs")) {
        assert!(has(&format!("csr-{name}")), "{name}");
    }
    for name in names(include_str!("../../../ca-core/src/statement.rs")) {
        assert!(has(name), "{name}");
    }
}

#[test]
fn every_name_of_an_application_has_its_text() {
    use ca_core::application::{DocumentKind, Reason, Role, State};
    use ca_core::fee::Channel;
    use ca_core::revocation;
    use ca_core::subject::SubjectType;

    let mut keys: Vec<String> = Vec::new();
    keys.extend(State::ALL.map(|state| format!("state-{}", state.as_str())));
    keys.extend(State::ALL.map(|state| format!("next-{}", state.next_actor().as_str())));
    keys.extend(Reason::ALL.map(|reason| format!("reason-{}", reason.as_str())));
    keys.extend(Role::ALL.map(|role| format!("role-{}", role.as_str())));
    keys.extend(DocumentKind::ALL.map(|kind| format!("missing-{}", kind.as_str())));
    keys.extend(Channel::ALL.map(|channel| format!("channel-{}", channel.as_str())));
    keys.extend(SubjectType::ALL.map(|subject_type| format!("subject-type-{}", subject_type.as_str())));
    keys.extend(revocation::Reason::ALL.map(|reason| format!("revocation-reason-{}", reason.as_str())));
    for key in keys {
        assert!(Language::ALL.into_iter().all(|language| find(language, &key, &[]).is_some()), "{key}");
    }
}

#[test]
fn a_share_is_written_without_needless_digits() {
    assert_eq!(percent(700), "7\u{a0}%");
    assert_eq!(percent(750), "7,5\u{a0}%");
    assert_eq!(percent(725), "7,25\u{a0}%");
    assert_eq!(percent(1005), "10,05\u{a0}%");
}
