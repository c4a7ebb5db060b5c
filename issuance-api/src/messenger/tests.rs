use std::time::Duration;

use serde_json::json;
use store::invoices;
use store::jobs::NewJob;
use store::messages::{self, Delivered};

use super::*;
use crate::applications::form::tests::natural_person;
use crate::harness::{Ask, Harness};

const PHONE: &str = "+998901234567";

/// A sandbox with the messenger at work, somebody's application, and its invoice.
struct Scene {
    harness: Harness,
    application: String,
    invoice: String,
    stop: watch::Sender<bool>,
}

/// An application in Russian, and its invoice.
async fn applied(harness: &Harness) -> (String, String) {
    let app = &harness.app().await;
    let token = harness.applicant(PHONE);
    let form = Ask::post("/api/v1/applications", &natural_person()).header("accept-language", "ru");
    let view = form.with(&token).of(app).await.is(201);
    let application = view["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/applications/{application}/invoice");
    let invoice = Ask::get(&path).with(&token).of(app).await.is(200);
    (application, invoice["id"].as_str().unwrap().to_owned())
}

impl Scene {
    async fn start() -> Self {
        let harness = Harness::start_with(&[("sms.quiet_from_hour", "0"), ("sms.quiet_until_hour", "0")]);
        let (application, invoice) = applied(&harness).await;
        // What the application itself has told is not what these tests are about.
        let now = harness.context.now();
        harness.write(|connection| {
            let told = jobs::claim(connection, JobKind::SendMessage, "test", now, Duration::ZERO, 100)?;
            jobs::complete(connection, &told.iter().map(|job| job.id).collect::<Vec<_>>())
        });
        let (stop, stopping) = watch::channel(false);
        actix_web::rt::spawn(run(harness.context.clone().into_inner(), stopping));
        Self { harness, application, invoice, stop }
    }

    /// A fact is told.
    fn tell(&self, event: &str, fact: &str) {
        let message =
            Message::Notice { application: self.application.parse().unwrap(), event: event.to_owned() };
        let now = self.harness.context.now();
        let job = NewJob {
            kind: JobKind::SendMessage,
            key: format!("{event}:{fact}:{}", now.unix_millis()),
            payload: serde_json::to_string(&message).unwrap(),
            run_at: now,
        };
        self.harness.write(|connection| jobs::enqueue(connection, &[job], now));
        self.harness.context.doorbell.notify_one();
    }

    /// Every message once the queue is empty, oldest first.
    async fn told(&self) -> Vec<Delivered> {
        for _ in 0..500 {
            let queued = self.harness.write(jobs::counts);
            if !queued.iter().any(|(kind, state, _)| kind.starts_with("send-") && state == "ready") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let mut all = self.harness.write(|connection| messages::delivered(connection, None, 100));
        all.reverse();
        all
    }

    /// The invoice can be paid no more.
    fn close_invoice(&self) {
        let later = self.harness.context.now().plus(Duration::from_secs(30 * 86_400));
        self.harness.write(|connection| invoices::expire(connection, later, 100));
    }

    fn states(&self) -> Vec<(String, &'static str)> {
        let page = self.harness.write(|connection| deliveries::page(connection, None, 0, 100));
        page.items.into_iter().map(|delivery| (delivery.template, delivery.state.as_str())).collect()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

#[actix_web::test]
async fn an_invoice_is_told_on_both_channels_in_the_persons_language() {
    let scene = Scene::start().await;
    scene.tell("invoice", &scene.invoice);
    let told = scene.told().await;
    let [sms, mail] = ["sms", "mail"].map(|channel| {
        told.iter().find(|message| message.channel == channel).unwrap_or_else(|| panic!("no {channel}"))
    });
    assert_eq!((told.len(), sms.to.as_str(), sms.language.as_str()), (2, PHONE, "ru"));
    assert!(sms.text.starts_with("Muhr: счёт M-") && sms.text.contains(" сум. Оплатите до "), "{}", sms.text);
    assert!(mail.text.starts_with("Счёт M-") && mail.text.contains("Здравствуйте!"), "{}", mail.text);
}

#[actix_web::test]
async fn an_invoice_that_can_be_paid_no_more_is_not_asked_for() {
    let scene = Scene::start().await;
    scene.close_invoice();
    scene.tell("invoice", &scene.invoice);
    scene.tell("refund", &scene.invoice);
    let told = scene.told().await;
    let templates: Vec<&str> = told.iter().map(|message| message.template.as_str()).collect();
    assert!(!templates.contains(&"invoice"), "{templates:?}");
    assert_eq!(templates.iter().filter(|template| **template == "refund").count(), 2);
    let outdated = scene.states().into_iter().filter(|(template, _)| template == "invoice");
    assert!(outdated.map(|(_, state)| state).eq(["failed", "failed"]));
    let dead = scene.harness.write(jobs::counts);
    assert!(dead.is_empty(), "nobody has to look: {dead:?}");
}

#[actix_web::test]
async fn a_reminder_is_not_mailed_to_who_wants_none() {
    let scene = Scene::start().await;
    let hash = unsubscribe::address_hash(
        &scene.harness.context.hasher,
        &natural_person()["email"].as_str().unwrap().to_uppercase(),
    );
    let now = scene.harness.context.now();
    scene.harness.write(|connection| mail_opt_outs::add(connection, &hash, now));
    scene.tell("expiring-30", "certificate:ca/01");
    scene.tell("paid", &scene.invoice);
    scene.told().await;
    let mut states = scene.states();
    states.sort();
    // The reminder of a certificate that is not there is not true; what matters is that no mail was planned.
    let expected = [("expiring", "failed"), ("paid", "sent"), ("paid", "sent")];
    assert_eq!(states, expected.map(|(template, state)| (template.to_owned(), state)));
}

#[actix_web::test]
async fn a_job_that_makes_no_sense_is_dead_in_the_end_and_says_nothing_of_what_is_in_it() {
    let scene = Scene::start().await;
    let now = scene.harness.context.now();
    let payload = json!({"message": "letter", "to": PHONE}).to_string();
    let job = NewJob { kind: JobKind::SendMessage, key: "odd".to_owned(), payload, run_at: now };
    scene.harness.write(|connection| jobs::enqueue(connection, &[job], now));
    tokio::time::sleep(Duration::from_millis(700)).await;
    let later = now.plus(Duration::from_secs(3600));
    let waiting = scene.harness.write(|connection| {
        jobs::claim(connection, JobKind::SendMessage, "test", later, Duration::from_secs(1), 1)
    });
    assert_eq!((waiting.len(), waiting[0].attempt), (1, 2), "it waits for its next attempt");
    assert!(scene.told().await.is_empty());
}
