//! Mail: over SMTP, signed with DKIM if the settings say so, or into the sandbox's table.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use config::settings::{Mail, MailProvider, MailTls, Smtp};
use lettre::message::dkim::DkimConfig;
use lettre::message::{Mailbox, dkim::dkim_sign};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::{AsyncSmtpTransportBuilder, PoolConfig};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use secrecy::ExposeSecret;

pub(crate) mod calendar;
mod dkim;
pub(crate) mod html;
pub(crate) mod letter;

use letter::Letter;

use crate::sms::{AccountError, password};

/// A connection to greet, start TLS, sign in, hand over and hear the answer.
const COMMANDS: u32 = 6;

/// Where mail goes.
pub enum Mailer {
    /// Into a table of ours.
    Sandbox,
    /// To a mail server.
    Smtp(Box<Server>),
}

/// A mail server, and how we sign.
pub struct Server {
    builder: AsyncSmtpTransportBuilder,
    /// The open connections. They live and end inside the runtime, which lettre's pool needs for both.
    transport: Mutex<Option<AsyncSmtpTransport<Tokio1Executor>>>,
    from: Mailbox,
    dkim: Option<DkimConfig>,
    timeout: Duration,
}

/// A mail server has not taken a mail. Only its code is told: its words may repeat an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// Later, it says, or it could not be reached, or the connection broke.
    #[error("smtp: {0}")]
    Later(String),
    /// Never, it says.
    #[error("smtp: {0}")]
    Never(String),
}

impl Mailer {
    /// Reads the password, the CA certificate and the DKIM key. Nobody is called yet.
    ///
    /// # Errors
    /// The setting whose file cannot be read or used.
    pub fn open(settings: &Mail) -> Result<Self, AccountError> {
        match settings.provider {
            MailProvider::Sandbox => Ok(Self::Sandbox),
            MailProvider::Smtp => Ok(Self::Smtp(Box::new(Server::open(settings)?))),
        }
    }

    /// The longest that sending one mail may take.
    pub fn patience(&self) -> Duration {
        match self {
            Self::Sandbox => Duration::ZERO,
            Self::Smtp(server) => server.timeout * COMMANDS,
        }
    }

    /// Ends the connections, before the runtime ends.
    pub async fn close(&self) {
        if let Self::Smtp(server) = self {
            let held = server.transport.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(transport) = held {
                transport.shutdown().await;
            }
        }
    }
}

impl Server {
    fn open(settings: &Mail) -> Result<Self, AccountError> {
        let smtp = &settings.smtp;
        let sender = |reason: String| AccountError { key: "mail.sender", reason };
        let address: Address =
            settings.sender.parse().map_err(|_| sender("a mail address is expected".to_owned()))?;
        let hello = ClientId::Domain(address.domain().to_owned());
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&smtp.host)
            .port(smtp.port)
            .tls(tls(smtp)?)
            .hello_name(hello)
            .timeout(Some(smtp.timeout))
            .pool_config(PoolConfig::new().max_size(smtp.connections));
        if !smtp.login.is_empty() {
            let password = password(smtp.password_file.as_deref(), "mail.smtp.password_file")?;
            let credentials = Credentials::new(smtp.login.clone(), password.expose_secret().to_owned());
            builder = builder.credentials(credentials);
        }
        Ok(Self {
            builder,
            transport: Mutex::new(None),
            dkim: dkim::load(&settings.dkim, address.domain())?,
            from: Mailbox::new(Some("Muhr".to_owned()), address),
            timeout: smtp.timeout,
        })
    }

    fn transport(&self) -> AsyncSmtpTransport<Tokio1Executor> {
        let mut held = self.transport.lock().unwrap_or_else(PoisonError::into_inner);
        held.get_or_insert_with(|| self.builder.clone().build()).clone()
    }

    /// The mail as it is sent.
    ///
    /// # Errors
    /// An address that no mail can go to.
    pub(crate) fn message(&self, letter: &Letter) -> Result<Message, MailError> {
        let mut message = letter.message(&self.from)?;
        if let Some(config) = &self.dkim {
            dkim_sign(&mut message, config);
        }
        Ok(message)
    }

    /// Hands a mail over.
    ///
    /// # Errors
    /// The server did not take it, or not surely: a mail that is sent again has the same Message-ID.
    pub(crate) async fn send(&self, message: Message) -> Result<(), MailError> {
        match tokio::time::timeout(self.timeout * COMMANDS, self.transport().send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(judge(&error)),
            Err(_) => Err(MailError::Later("no answer in time".to_owned())),
        }
    }
}

/// How the connection is protected.
fn tls(smtp: &Smtp) -> Result<Tls, AccountError> {
    let parameters = || {
        let mut parameters = TlsParameters::builder(smtp.host.clone());
        if let Some(file) = &smtp.ca_file {
            let failed = |reason: String| AccountError { key: "mail.smtp.ca_file", reason };
            let pem = std::fs::read(file).map_err(|error| failed(format!("{}: {error}", file.display())))?;
            let certificate = Certificate::from_pem(&pem).map_err(|error| failed(error.to_string()))?;
            parameters =
                parameters.certificate_store(CertificateStore::None).add_root_certificate(certificate);
        }
        parameters.build().map_err(|error| AccountError { key: "mail.smtp.tls", reason: error.to_string() })
    };
    Ok(match smtp.tls {
        MailTls::None => Tls::None,
        MailTls::StartTls => Tls::Required(parameters()?),
        MailTls::Implicit => Tls::Wrapper(parameters()?),
    })
}

/// What a failure means (RFC 5321 section 4.2.1).
fn judge(error: &lettre::transport::smtp::Error) -> MailError {
    let code = error.status().map(u16::from);
    match code {
        // About our account (RFC 4954 section 6), not about the mail: an operator will see to it.
        Some(code) if [530, 534, 535, 538].contains(&code) => MailError::Later(code.to_string()),
        Some(code) if error.is_permanent() => MailError::Never(code.to_string()),
        Some(code) => MailError::Later(code.to_string()),
        None if error.is_tls() => MailError::Later("TLS failed".to_owned()),
        None if error.is_timeout() => MailError::Later("no answer in time".to_owned()),
        None if error.is_client() => MailError::Later("this server cannot do what is needed".to_owned()),
        None if error.is_response() => MailError::Later("an answer that is none".to_owned()),
        None => MailError::Later("no connection".to_owned()),
    }
}
