//! Messages: one for each fact on each channel, reminders for each certificate once.

use std::time::Duration;

use ca_core::Timestamp;
use ca_core::application::ApplicationId;
use store::deliveries::{self, Channel, Delivery, NewDelivery, State};
use store::jobs::{self, Job, JobKind};
use store::{StoreError, certificates, mail_opt_outs, reminders};

use super::stage::{Ground, HOUR, at_once, later, now};
use crate::stack::Database;

on_both_databases!(
    a_fact_is_one_delivery_on_each_channel_whoever_asks,
    a_gateways_last_word_counts_once_even_before_ours,
    what_a_gateway_may_have_is_known_until_it_is_settled,
    only_a_notice_that_did_not_arrive_is_sent_again,
    a_buried_job_is_not_claimed_until_it_is_queued_again,
    each_certificate_is_reminded_of_once_for_each_day,
    a_standstill_leaves_only_the_reminder_whose_time_it_is,
    revoked_certificates_are_not_reminded_of,
    an_address_opts_out_once,
);

const DAY: Duration = Duration::from_secs(86_400);

fn notice(application: ApplicationId, channel: Channel) -> NewDelivery<'static> {
    NewDelivery { fact: "paid:1", channel, template: "paid", language: "uz", application: Some(application) }
}

fn planned(ground: &Ground) -> Delivery {
    let application = ground.created();
    ground.write(|c| deliveries::plan(c, &notice(application, Channel::Sms), now()))
}

fn found(ground: &Ground, id: i64) -> Delivery {
    ground.read(|c| deliveries::find(c, id))
}

fn claim(ground: &Ground, kind: JobKind) -> Vec<Job> {
    ground.write(|c| jobs::claim(c, kind, "w", now(), HOUR, 1000))
}

fn a_fact_is_one_delivery_on_each_channel_whoever_asks(kind: Database) {
    let ground = Ground::new(kind);
    let application = ground.created();
    at_once(8, |n| {
        let channel = if n % 2 == 0 { Channel::Sms } else { Channel::Mail };
        ground.write(|c| deliveries::queue(c, &notice(application, channel), now()));
    });
    assert_eq!((ground.count("deliveries"), ground.count("jobs")), (2, 2));
    assert_eq!(claim(&ground, JobKind::SendMessage).len(), 1);
    assert_eq!(claim(&ground, JobKind::SendMail).len(), 1);
    // What has been sent is not queued again.
    let sms = ground.write(|c| deliveries::plan(c, &notice(application, Channel::Sms), now()));
    ground.write(|c| deliveries::sent(c, sms.id, Some("there"), None, now()));
    ground.write(|c| jobs::complete_named(c, JobKind::SendMessage, &format!("delivery:{}", sms.id)));
    ground.write(|c| deliveries::queue(c, &notice(application, Channel::Sms), now()));
    assert_eq!(ground.count("jobs"), 1);
}

fn a_gateways_last_word_counts_once_even_before_ours(kind: Database) {
    let ground = Ground::new(kind);
    let delivery = planned(&ground);
    ground.write(|c| deliveries::hand(c, delivery.id, "eskiz", Some(2), now()));
    assert!(ground.write(|c| deliveries::report(c, delivery.id, true, now())));
    ground.write(|c| deliveries::sent(c, delivery.id, Some("there"), Some(later(300)), now()));
    assert!(!ground.write(|c| deliveries::report(c, delivery.id, false, now())));
    let known = found(&ground, delivery.id);
    assert_eq!((known.state, known.segments, known.attempts), (State::Delivered, Some(2), 1));
    assert_eq!(known.gateway_message_id.as_deref(), Some("there"));
    let asked = ground.read(|c| deliveries::to_ask_about(c, "eskiz", later(1000), 10));
    assert!(asked.is_empty(), "nothing more is to be learnt");
}

fn what_a_gateway_may_have_is_known_until_it_is_settled(kind: Database) {
    let ground = Ground::new(kind);
    let id = planned(&ground).id;
    ground.write(|c| deliveries::hand(c, id, "playmobile", None, now()));
    assert_eq!(found(&ground, id).handed_at, Some(now()), "after a crash");
    ground.write(|c| deliveries::put_back(c, id, "no answer", true, later(5)));
    assert_eq!(found(&ground, id).handed_at, Some(now()), "after silence");
    ground.write(|c| deliveries::put_back(c, id, "no connection", false, later(6)));
    let known = found(&ground, id);
    assert_eq!((known.handed_at, known.last_error.as_deref()), (None, Some("no connection")));
    ground.write(|c| deliveries::hand(c, id, "eskiz", None, now()));
    ground.write(|c| deliveries::sent(c, id, Some("there"), Some(later(300)), now()));
    let asked = |at| ground.read(|c| deliveries::to_ask_about(c, "eskiz", at, 10)).len();
    assert_eq!((asked(later(299)), asked(later(300))), (0, 1));
    ground.write(|c| deliveries::ask_again(c, id, None));
    assert_eq!(asked(later(3000)), 0);
    let known = found(&ground, id);
    assert_eq!((known.state, known.handed_at, known.last_error), (State::Sent, None, None));
}

fn only_a_notice_that_did_not_arrive_is_sent_again(kind: Database) {
    let ground = Ground::new(kind);
    let id = planned(&ground).id;
    let again = || ground.store.write(|c| deliveries::resend(c, id, "officer:registrar", now()));
    assert!(matches!(again(), Err(StoreError::Conflict(_))), "it is under way");
    ground.write(|c| deliveries::give_up(c, id, "refused", now()));
    at_once(4, |_| again().is_ok());
    let known = found(&ground, id);
    assert_eq!((known.state, known.resends), (State::Queued, 1));
    assert_eq!(ground.count("audit_entries WHERE action = 'message.resend'"), 1);
    assert_eq!(claim(&ground, JobKind::SendMessage).len(), 1);
    ground.write(|c| deliveries::report(c, id, true, now()));
    assert!(matches!(again(), Err(StoreError::Conflict(_))), "it has arrived");

    let code = NewDelivery { fact: "code:1", application: None, ..notice(ground.created(), Channel::Sms) };
    let code = ground.write(|c| deliveries::plan(c, &code, now())).id;
    ground.write(|c| deliveries::expire(c, "code:1", now()));
    let resent = ground.store.write(|c| deliveries::resend(c, code, "officer:registrar", now()));
    assert!(matches!(resent, Err(StoreError::Conflict(_))), "codes are asked for anew");
    ground.write(|c| deliveries::sweep_codes(c, later(1)));
    assert_eq!(ground.count("deliveries"), 1, "what became of notices is kept");
    let page = ground.read(|c| deliveries::page(c, Some(State::Delivered), 0, 10));
    assert_eq!(page.items.iter().map(|delivery| delivery.id).collect::<Vec<_>>(), [id]);
}

fn a_buried_job_is_not_claimed_until_it_is_queued_again(kind: Database) {
    let ground = Ground::new(kind);
    let application = ground.created();
    let queue = || ground.write(|c| deliveries::queue(c, &notice(application, Channel::Mail), now()));
    queue();
    let job = claim(&ground, JobKind::SendMail).remove(0);
    ground.write(|c| jobs::bury(c, &job, "smtp: 550"));
    assert_eq!(ground.rows("SELECT state, last_error FROM jobs"), ["dead|smtp: 550"]);
    assert!(claim(&ground, JobKind::SendMail).is_empty());
    queue();
    let job = claim(&ground, JobKind::SendMail).remove(0);
    assert!(!ground.write(|c| jobs::retry_not_before(c, &job, "busy", later(90), now())));
    assert_eq!(ground.count(&format!("jobs WHERE run_at = {}", later(90).unix_millis())), 1);
}

fn sweep(ground: &Ground, days: u32, at: Timestamp) -> usize {
    let mut passed = 0;
    loop {
        // Two at a time: certificates that end at the same moment are parted between sweeps.
        let some = ground.write(|c| reminders::sweep(c, days, 2, at));
        passed += some;
        if some < 2 {
            return passed;
        }
    }
}

fn end() -> Timestamp {
    now().plus_months(12)
}

fn each_certificate_is_reminded_of_once_for_each_day(kind: Database) {
    let ground = Ground::new(kind);
    for _ in 0..5 {
        ground.issued();
    }
    ground.write(|c| jobs::claim(c, JobKind::SendMessage, "w", later(0), HOUR, 100));
    assert_eq!(sweep(&ground, 30, end().minus(DAY * 31)), 0);
    let passed: usize = at_once(4, |_| sweep(&ground, 30, end().minus(DAY * 30))).into_iter().sum();
    assert_eq!(passed, 5);
    let reminders = "jobs WHERE dedup_key LIKE 'expiring-30:certificate:ca/%'";
    assert_eq!(ground.count(reminders), 5);
    ground.rows("DELETE FROM jobs WHERE dedup_key LIKE 'expiring-%'");
    assert_eq!(sweep(&ground, 30, end().minus(DAY * 29)), 0, "the place is remembered");
    // One that is issued later and ends at the same moment is met all the same.
    ground.issued();
    assert_eq!(sweep(&ground, 30, end().minus(DAY * 29)), 1);
    assert_eq!(ground.count(reminders), 1);
    assert_eq!(sweep(&ground, 7, end().minus(DAY * 7)), 6);
    assert_eq!(sweep(&ground, 1, end().minus(DAY)), 6);
    assert_eq!(sweep(&ground, 1, end().plus(DAY)), 0);
}

fn a_standstill_leaves_only_the_reminder_whose_time_it_is(kind: Database) {
    let ground = Ground::new(kind);
    ground.issued();
    let at = end().minus(DAY * 6);
    assert_eq!([30, 7, 1].map(|days| sweep(&ground, days, at)), [0, 1, 0]);
    let at = end().plus(DAY);
    assert_eq!([30, 7, 1].map(|days| sweep(&ground, days, at)), [0, 0, 0], "it is over");
}

fn revoked_certificates_are_not_reminded_of(kind: Database) {
    let ground = Ground::new(kind);
    let (_, serial) = ground.issued();
    ground.issued();
    let stored = ground.read(|c| certificates::find(c, &serial));
    let revoked = ca_core::revocation::Status::Revoked {
        since: now(),
        reason: ca_core::revocation::Reason::Superseded,
        invalidity_date: None,
    };
    ground.write(|c| certificates::change_status(c, &stored, revoked, "officer:revocation", now()));
    assert_eq!(sweep(&ground, 30, end().minus(DAY * 20)), 2);
    assert_eq!(ground.count("jobs WHERE dedup_key LIKE 'expiring-%'"), 1);
}

fn an_address_opts_out_once(kind: Database) {
    let ground = Ground::new(kind);
    assert!(!ground.read(|c| mail_opt_outs::contains(c, &[7; 32])));
    at_once(4, |_| ground.write(|c| mail_opt_outs::add(c, &[7; 32], now())));
    assert!(ground.read(|c| mail_opt_outs::contains(c, &[7; 32])));
    assert_eq!(ground.count("mail_opt_outs"), 1);
}
