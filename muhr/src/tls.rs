//! TLS 1.3 (RFC 8446) for API and portal, by rustls. Certificate and key are read again when their files change.

use std::any::Any;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use std::{fmt, fs};

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream;
use config::settings::Tls;
use issuance_api::partners::ClientCertificate;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, NoClientAuth, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig, version};
use zeroize::Zeroizing;

use crate::failure::Failure;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(10);

/// The certificate that is shown now.
pub(crate) struct Shown {
    certificate_file: PathBuf,
    key_file: PathBuf,
    current: RwLock<(Digests, Arc<CertifiedKey>)>,
}

/// SHA-256 of what both files held: the key itself is not kept in this form.
type Digests = [[u8; 32]; 2];

/// What both files hold, wiped when it is dropped.
type Contents = [Zeroizing<Vec<u8>>; 2];

/// The key is in it.
impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shown").field("certificate_file", &self.certificate_file).finish_non_exhaustive()
    }
}

impl Shown {
    /// Reads both files.
    ///
    /// # Errors
    /// They cannot be read, or do not belong together.
    pub(crate) fn open(tls: &Tls) -> Result<Arc<Self>, Failure> {
        let file = |file: &Option<PathBuf>| file.clone().unwrap_or_default();
        let (certificate_file, key_file) = (file(&tls.certificate_file), file(&tls.key_file));
        let contents = read(&certificate_file, &key_file)?;
        let key = certified(&contents)
            .map_err(|error| Failure::new(format!("{}: {error}", certificate_file.display())))?;
        Ok(Arc::new(Self { certificate_file, key_file, current: RwLock::new((digests(&contents), key)) }))
    }

    /// Looks for other files, for ever. Ones that cannot be used are said once, and what was shown goes on.
    pub(crate) async fn follow(self: Arc<Self>) {
        let mut tick = tokio::time::interval(LOOK);
        let mut refused = None;
        loop {
            tick.tick().await;
            let contents = match read(&self.certificate_file, &self.key_file) {
                Ok(contents) => contents,
                Err(error) => {
                    tracing::error!(%error, "the TLS certificate cannot be read again");
                    continue;
                }
            };
            let seen = digests(&contents);
            let is_known = {
                let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
                current.0 == seen || refused == Some(seen)
            };
            if is_known {
                continue;
            }
            match certified(&contents) {
                Ok(key) => {
                    tracing::info!(file = %self.certificate_file.display(), "another TLS certificate is shown");
                    *self.current.write().unwrap_or_else(PoisonError::into_inner) = (seen, key);
                    refused = None;
                }
                Err(error) => {
                    tracing::error!(error, "the new TLS certificate is not used");
                    refused = Some(seen);
                }
            }
        }
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner).1))
    }
}

fn read(certificate_file: &Path, key_file: &Path) -> Result<Contents, Failure> {
    let read = |path: &Path| -> Result<_, Failure> {
        let content = fs::read(path).map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
        Ok(Zeroizing::new(content))
    };
    Ok([read(certificate_file)?, read(key_file)?])
}

fn digests(contents: &Contents) -> Digests {
    contents.each_ref().map(|content| ca_core::digest::sha256(content))
}

fn certified([certificates, key]: &Contents) -> Result<Arc<CertifiedKey>, String> {
    let chain = CertificateDer::pem_slice_iter(certificates).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| error.to_string())?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| format!("its key: {error}"))?;
    let key = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider());
    key.map(Arc::new).map_err(|error| error.to_string())
}

/// What is spoken with clients; those of partners are asked for a certificate, and may come without one.
///
/// # Errors
/// The file of those who issue clients' certificates is no list of certificates.
pub(crate) fn server_config(tls: &Tls, shown: Arc<Shown>) -> Result<ServerConfig, Failure> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = match &tls.client_ca_file {
        None => Arc::new(NoClientAuth),
        Some(file) => {
            let unfit = |error: String| Failure::new(format!("{}: {error}", file.display()));
            let mut roots = RootCertStore::empty();
            for certificate in
                CertificateDer::pem_file_iter(file).map_err(|error| unfit(error.to_string()))?
            {
                let certificate = certificate.map_err(|error| unfit(error.to_string()))?;
                roots.add(certificate).map_err(|error| unfit(error.to_string()))?;
            }
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .allow_unauthenticated()
                .build()
                .map_err(|error| unfit(error.to_string()))?
        }
    };
    let config = ServerConfig::builder_with_provider(provider).with_protocol_versions(&[&version::TLS13])?;
    Ok(config.with_client_cert_verifier(verifier).with_cert_resolver(shown))
}

/// Keeps, with a connection, which certificate its client has shown.
pub(crate) fn note_client(connection: &dyn Any, extensions: &mut Extensions) {
    let Some(stream) = connection.downcast_ref::<TlsStream<TcpStream>>() else { return };
    let (_, session) = stream.get_ref();
    if let Some(leaf) = session.peer_certificates().and_then(<[_]>::first) {
        extensions.insert(ClientCertificate(ca_core::digest::sha256(leaf)));
    }
}
