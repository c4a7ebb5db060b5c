//! Lists by key: a page begins after the last row of the one before, whatever was added meanwhile.

use std::collections::HashSet;

use ca_core::application::State;
use store::applications::{self, Filter};
use store::certificates::{self, Search};
use store::{Page, audit};

use super::stage::{Ground, assert_distinct, now};
use crate::stack::Database;

on_both_databases!(
    every_application_is_visited_once_while_others_come_in,
    every_audit_entry_is_visited_once_while_others_come_in,
    the_register_is_read_from_newest_to_oldest,
    a_list_is_narrowed_to_what_is_asked_for,
);

/// Follows the pages; between two of them something happens.
fn visit<T, K>(
    ask: impl Fn(Option<K>) -> Page<T>,
    key: impl Fn(&str) -> K,
    meanwhile: impl Fn(),
    at_most: usize,
) -> Vec<T> {
    let (mut after, mut seen) = (None, Vec::new());
    for _ in 0..at_most {
        let page = ask(after);
        seen.extend(page.items);
        let Some(next) = page.next else { return seen };
        after = Some(key(&next));
        meanwhile();
    }
    panic!("the pages do not end");
}

fn every_application_is_visited_once_while_others_come_in(kind: Database) {
    let ground = Ground::new(kind);
    let there: HashSet<_> = (0..10).map(|_| ground.draft()).collect();
    let ask = |after| ground.read(|c| applications::page(c, &Filter::default(), after, 3));
    let meanwhile = || {
        ground.draft();
    };
    let all = visit(ask, |next| next.parse().expect("a name"), meanwhile, 40);
    let seen: Vec<_> = all.iter().map(|stored| stored.application.id).collect();
    assert_distinct(&seen);
    let seen: HashSet<_> = seen.into_iter().collect();
    assert!(there.is_subset(&seen));
}

fn every_audit_entry_is_visited_once_while_others_come_in(kind: Database) {
    let ground = Ground::new(kind);
    for _ in 0..4 {
        ground.draft();
    }
    let there: HashSet<i64> =
        ground.read(|c| audit::page(c, 0, 1000)).items.into_iter().map(|it| it.0).collect();
    let entry = audit::Entry {
        at: now(),
        actor: "test".to_owned(),
        action: "test.happen".to_owned(),
        object: "test".to_owned(),
        details: serde_json::json!({}),
    };
    let ask = |after: Option<i64>| ground.read(|c| audit::page(c, after.unwrap_or(0), 3));
    let meanwhile = || ground.write(|c| audit::record(c, std::slice::from_ref(&entry)));
    let seen: Vec<i64> = visit(ask, |next| next.parse().expect("a number"), meanwhile, 100)
        .into_iter()
        .map(|it| it.0)
        .collect();
    assert!(seen.is_sorted());
    assert_distinct(&seen);
    assert!(there.is_subset(&seen.into_iter().collect()));
}

fn the_register_is_read_from_newest_to_oldest(kind: Database) {
    let ground = Ground::new(kind);
    let mut issued: Vec<_> = (0..5).map(|_| ground.issued().1).collect();
    let ask = |before| ground.read(|c| certificates::search(c, &Search::All, before, 2));
    let meanwhile = || {
        ground.issued();
    };
    let seen = visit(ask, |next| next.parse().expect("a number"), meanwhile, 40);
    let seen: Vec<_> = seen.into_iter().map(|stored| stored.certificate.serial).collect();
    issued.reverse();
    assert_eq!(seen, issued);
    let found = ground.read(|c| certificates::search(c, &Search::Name("SOMEBODY ".to_owned()), None, 100));
    assert!(found.items.len() >= 5 && found.next.is_none(), "case is folded");
    let none = ground.read(|c| certificates::search(c, &Search::Name("%".to_owned()), None, 100));
    assert!(none.items.is_empty(), "nothing in a name is a pattern");
}

fn a_list_is_narrowed_to_what_is_asked_for(kind: Database) {
    let ground = Ground::new(kind);
    let (draft, approved) = (ground.draft(), ground.approved());
    let found = |filter: Filter| -> Vec<_> {
        let page = ground.read(|c| applications::page(c, &filter, None, 100));
        page.items.into_iter().map(|stored| stored.application.id).collect()
    };
    let of = |state| Filter { state: Some(state), ..Filter::default() };
    assert_eq!(found(of(State::Draft)), [draft]);
    assert_eq!(found(of(State::Approved)), [approved]);
    assert_eq!(found(of(State::Issued)), []);
    let subject = ground.application(draft).subject;
    let text = |text: &str| Filter { text: Some(text.to_owned()), ..Filter::default() };
    assert_eq!(found(text(subject.person().pinfl.as_str())), [draft]);
    assert_eq!(found(text(&draft.to_string())), [draft]);
    let name = subject.common_name();
    let beginning: String = name.chars().take(name.chars().count() - 1).collect();
    assert!(found(text(&beginning)).contains(&draft));
    assert_eq!(found(Filter { phone: Some("+998900000000".to_owned()), ..Filter::default() }), []);
}
