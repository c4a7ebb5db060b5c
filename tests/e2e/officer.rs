//! A registration officer, reviewer, revocation officer, auditor or administrator.

use serde_json::{Value, json};

use crate::http::{Answer, Client};
use crate::stack::Stack;

pub(crate) struct Officer {
    pub(crate) client: Client,
}

impl Officer {
    pub(crate) fn reviewer(stack: &Stack) -> Self {
        Self::named(stack, "reviewer")
    }

    pub(crate) fn revocation(stack: &Stack) -> Self {
        Self::named(stack, "revocation")
    }

    /// One of the logins that the sandbox made; each is named after its role.
    pub(crate) fn named(stack: &Stack, login: &str) -> Self {
        Self { client: stack.signed_in(login) }
    }

    /// Everything that waits for review, page after page.
    pub(crate) fn queue(&self) -> Vec<Value> {
        pages(&self.client, "/api/v1/officer/applications?state=under_review")
    }

    pub(crate) fn approve(&self, application: &str) -> Answer {
        self.decide(application, "approval", &json!({}))
    }

    pub(crate) fn reject(&self, application: &str, reason: &str, note: &str) -> Answer {
        self.decide(application, "rejection", &json!({"reason": reason, "note": note}))
    }

    pub(crate) fn hand_back(&self, application: &str, reason: &str, note: &str) -> Answer {
        self.decide(application, "return", &json!({"reason": reason, "note": note}))
    }

    fn decide(&self, application: &str, decision: &str, body: &Value) -> Answer {
        self.client.post(&format!("/api/v1/officer/applications/{application}/{decision}"), body)
    }

    pub(crate) fn revoke(&self, serial: &str, reason: &str) -> Answer {
        change_status(&self.client, serial, "revocation", &json!({"reason": reason}))
    }

    pub(crate) fn suspend(&self, serial: &str) -> Answer {
        change_status(&self.client, serial, "suspension", &json!({}))
    }

    pub(crate) fn restore(&self, serial: &str) -> Answer {
        change_status(&self.client, serial, "restoration", &json!({}))
    }
}

/// A change of a certificate's status, by an officer or by its holder.
pub(crate) fn change_status(client: &Client, serial: &str, change: &str, body: &Value) -> Answer {
    client.post(&format!("/api/v1/certificates/{serial}/{change}"), body)
}

/// All items of a list that pages by `after`.
pub(crate) fn pages(client: &Client, path: &str) -> Vec<Value> {
    let mut items = Vec::new();
    let mut next = path.to_owned();
    loop {
        let page = client.get(&next).json();
        items.extend(page["items"].as_array().expect("items").iter().cloned());
        let Some(after) = page["next"].as_str() else { return items };
        next = format!("{path}{}after={after}", if path.contains('?') { '&' } else { '?' });
    }
}
