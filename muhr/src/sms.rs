//! `muhr sms`: the text messages there are.

use config::Language;
use config::sms::{TEMPLATES, segments};

use crate::failure::say;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Print every text in every language, as gateways' moderators want to see it: name, language, alphabet, number of
    /// messages it is paid as, text. Values stand in as they may look, reasons at their longest.
    Templates,
}

pub(crate) fn run(command: &Command) {
    let Command::Templates = command;
    for template in TEMPLATES {
        for language in Language::ALL {
            let text = template.example(language);
            let segments = segments(&text);
            say(format!(
                "{}\t{language}\t{}\t{}\t{text}",
                template.name,
                segments.alphabet(),
                segments.count
            ));
        }
    }
}
