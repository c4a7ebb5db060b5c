//! Each application's evidence is sealed with a key of its own, and that key is kept wrapped by a master key (NIST SP 800-57
//! part 1: a data-encryption key under a key-wrapping key).
//!
//! A data key can be forgotten alone, which erases one person's evidence wherever copies of it are, and wrapped anew without
//! touching what it seals.

pub mod custodian;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ca_core::application::{ApplicationId, DocumentKind};
use ca_core::subject::DocumentNumber;
use config::settings::{Documents, MasterKey};
use store::data_keys::{self, SealedData, WrappedKey};
use store::{Connection, applications};
use zeroize::Zeroizing;

use crate::problem::{Kind, Problem};
use crate::sealed::{SealError, Sealer};
use crate::service_key::ServiceKey;
use crate::vault::custodian::{Answer, Custodian, Question, Task};

/// The first octet of a document that is sealed with its application's key; what was sealed with the service's key
/// begins with 1.
const UNDER_DATA_KEY: u8 = 2;

/// Wraps and unwraps the keys of applications' data.
pub struct Vault {
    /// Opens what was sealed before applications had keys.
    former: Arc<Sealer>,
    /// Oldest first; the last one wraps.
    masters: Vec<Master>,
}

struct Master {
    name: String,
    place: MasterPlace,
}

/// Where a master key does its work. What it wraps looks the same from both.
enum MasterPlace {
    Here(Sealer),
    OnToken { custodian: Arc<Custodian>, label: String },
}

/// Why the vault does not open, or something in it.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// A master key file.
    #[error("{0}: {1}")]
    MasterKeyFile(PathBuf, String),
    /// None is named.
    #[error("no master key is named")]
    NoMasterKey,
    /// Two files hold one key, or a label is named twice.
    #[error("the master key {0} is named twice")]
    Twice(String),
    /// The key was wrapped by a master key that is not among those of the settings.
    #[error("the master key {0} is not among documents.master_keys")]
    UnknownMaster(String),
    /// The token with the master key cannot be used now.
    #[error("the token with the master keys: {0}")]
    Away(String),
    /// Changed, or of another application.
    #[error(transparent)]
    Sealed(#[from] SealError),
    /// What was opened is not what it should be.
    #[error("what was sealed is not what it should be")]
    NotOurs,
}

/// The key of one application's data.
pub struct DataKey {
    application: ApplicationId,
    sealer: Sealer,
    former: Arc<Sealer>,
}

impl Vault {
    /// With the master keys of these settings. A token is not asked yet.
    ///
    /// # Errors
    /// A file that cannot be read or does not hold 32 octets; the same key twice; none.
    pub fn open(settings: &Documents, former: Arc<Sealer>) -> Result<Self, VaultError> {
        let custodian = Arc::new(Custodian::new(&settings.token));
        let mut masters: Vec<Master> = Vec::with_capacity(settings.master_keys.len());
        for key in &settings.master_keys {
            let master = match key {
                MasterKey::File(file) => Master::read(file)?,
                MasterKey::OnToken(label) => Master::on_token(&custodian, label),
            };
            if masters.iter().any(|known| known.name == master.name) {
                return Err(VaultError::Twice(master.name));
            }
            masters.push(master);
        }
        if masters.is_empty() { Err(VaultError::NoMasterKey) } else { Ok(Self { former, masters }) }
    }

    /// Whether every master key can be used. Asks the token about those that are on one.
    pub fn is_ready(&self) -> bool {
        self.masters.iter().all(|master| master.reach().is_ok())
    }

    /// The name of the master key that wraps.
    pub fn newest(&self) -> &str {
        self.masters.last().map_or("", |master| &master.name)
    }

    /// The names of all master keys.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.masters.iter().map(|master| master.name.as_str())
    }

    /// A new key for an application, with the number of its identity document sealed by it.
    ///
    /// # Errors
    /// The library refuses to work.
    pub fn new_key(
        &self,
        application: ApplicationId,
        document: Option<&DocumentNumber>,
    ) -> Result<SealedData, VaultError> {
        let mut octets = Zeroizing::new([0_u8; 32]);
        aws_lc_rs::rand::fill(octets.as_mut_slice()).map_err(|_| SealError::Sealing)?;
        let key = self.wrap(application, octets.as_slice())?;
        let sealer = Sealer::new(*octets)?;
        let document = document
            .map(|number| sealer.seal(number_context(application).as_bytes(), number.as_str().as_bytes()));
        Ok(SealedData { key, document: document.transpose()? })
    }

    /// An application's key.
    ///
    /// # Errors
    /// Its master key is unknown; the wrap was changed.
    pub fn unwrap(&self, application: ApplicationId, key: &WrappedKey) -> Result<DataKey, VaultError> {
        let octets = self.octets(application, key)?;
        let key: [u8; 32] = octets.as_slice().try_into().map_err(|_| VaultError::NotOurs)?;
        Ok(DataKey { application, sealer: Sealer::new(key)?, former: Arc::clone(&self.former) })
    }

    /// The same key under the newest master key; none if it is.
    ///
    /// # Errors
    /// As for [`Self::unwrap`].
    pub fn rewrap(
        &self,
        application: ApplicationId,
        key: &WrappedKey,
    ) -> Result<Option<WrappedKey>, VaultError> {
        if key.master == self.newest() {
            return Ok(None);
        }
        let octets = self.octets(application, key)?;
        self.wrap(application, &octets).map(Some)
    }

    /// The number of the identity document of an application that has this.
    ///
    /// # Errors
    /// As for [`Self::unwrap`].
    pub fn document_number(
        &self,
        application: ApplicationId,
        sealed: &SealedData,
    ) -> Result<Option<DocumentNumber>, VaultError> {
        let Some(document) = &sealed.document else { return Ok(None) };
        let key = self.unwrap(application, &sealed.key)?;
        let opened = key.sealer.open(number_context(application).as_bytes(), document)?;
        let text = std::str::from_utf8(&opened).map_err(|_| VaultError::NotOurs)?;
        DocumentNumber::parse(text).map(Some).map_err(|_| VaultError::NotOurs)
    }

    /// Opens a document of an application that never had a key.
    ///
    /// # Errors
    /// [`SealError::Changed`].
    pub fn open_former(
        &self,
        application: ApplicationId,
        kind: DocumentKind,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        self.former.open(document_context(application, kind).as_bytes(), sealed)
    }

    /// The key of an application, made now if it is of before there were any. Not for one whose key was erased.
    ///
    /// # Errors
    /// 404; the database's; as for [`Self::unwrap`].
    pub fn key_of(
        &self,
        connection: &mut Connection,
        application: ApplicationId,
    ) -> Result<DataKey, Problem> {
        let sealed = match data_keys::of(connection, application)? {
            Some(sealed) => sealed,
            None => self.adopt(connection, application)?,
        };
        Ok(self.unwrap(application, &sealed.key)?)
    }

    /// Gives an application of before there were keys one, and seals the number of its identity document.
    fn adopt(&self, connection: &mut Connection, id: ApplicationId) -> Result<SealedData, Problem> {
        let stored = applications::find(connection, id)?;
        let document = stored.application.subject.person().document.as_ref();
        let sealed = self.new_key(id, document)?;
        data_keys::create(connection, id, &sealed)?;
        Ok(sealed)
    }

    fn wrap(&self, application: ApplicationId, octets: &[u8]) -> Result<WrappedKey, VaultError> {
        let master = self.masters.last().ok_or(VaultError::NoMasterKey)?;
        let wrapped = master.wrap(wrap_context(application).as_bytes(), octets)?;
        Ok(WrappedKey { master: master.name.clone(), wrapped })
    }

    fn octets(&self, application: ApplicationId, key: &WrappedKey) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let master = self.masters.iter().find(|master| master.name == key.master);
        let master = master.ok_or_else(|| VaultError::UnknownMaster(key.master.clone()))?;
        if key.wrapped.len() > LONGEST_WRAP {
            return Err(SealError::Changed.into());
        }
        master.unwrap(wrap_context(application).as_bytes(), &key.wrapped)
    }
}

impl Master {
    /// Its name follows from the key, so that a file may be called as its owner likes.
    fn read(file: &Path) -> Result<Self, VaultError> {
        let unusable = |reason: String| VaultError::MasterKeyFile(file.to_owned(), reason);
        let octets = Zeroizing::new(std::fs::read(file).map_err(|error| unusable(error.to_string()))?);
        let key = ServiceKey::new(&octets).map_err(|_| unusable("it does not hold 32 octets".to_owned()))?;
        let refused = |_| unusable("it cannot be used".to_owned());
        let name = hex::encode(&key.derive("muhr/master-key-name/1").map_err(refused)?[..8]);
        let sealer = Sealer::new(*key.derive("muhr/master-key/1").map_err(refused)?)?;
        Ok(Self { name, place: MasterPlace::Here(sealer) })
    }

    /// Nothing can be derived from a key that nobody sees: it is called as on its token.
    fn on_token(custodian: &Arc<Custodian>, label: &str) -> Self {
        let (custodian, label) = (Arc::clone(custodian), label.to_owned());
        Self { name: format!("token:{label}"), place: MasterPlace::OnToken { custodian, label } }
    }

    fn wrap(&self, context: &[u8], octets: &[u8]) -> Result<Vec<u8>, VaultError> {
        match &self.place {
            MasterPlace::Here(sealer) => Ok(sealer.seal(context, octets)?),
            MasterPlace::OnToken { custodian, label } => {
                Ok(std::mem::take(&mut *ask(custodian, Task::Wrap, label, context, octets)?))
            }
        }
    }

    fn unwrap(&self, context: &[u8], wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        match &self.place {
            MasterPlace::Here(sealer) => Ok(sealer.open(context, wrapped)?),
            MasterPlace::OnToken { custodian, label } => {
                ask(custodian, Task::Unwrap, label, context, wrapped)
            }
        }
    }

    fn reach(&self) -> Result<(), VaultError> {
        match &self.place {
            MasterPlace::Here(_) => Ok(()),
            MasterPlace::OnToken { custodian, label } => {
                ask(custodian, Task::Reach, label, b"", b"").map(drop)
            }
        }
    }
}

fn ask(
    custodian: &Custodian,
    task: Task,
    label: &str,
    context: &[u8],
    octets: &[u8],
) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let (label, context, octets) = (label.to_owned(), context.to_vec(), Zeroizing::new(octets.to_vec()));
    match custodian.ask(&Question { task, label, context, octets }) {
        Answer::Done(octets) => Ok(octets),
        Answer::Changed => Err(SealError::Changed.into()),
        Answer::Failed(why) => Err(VaultError::Away(why)),
    }
}

/// A wrapped key is much shorter, in octets.
const LONGEST_WRAP: usize = 256;
/// When a token that is away is worth another try, in seconds.
const TOKEN_AWAY_SECONDS: u64 = 10;

impl From<VaultError> for Problem {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Away(why) => {
                tracing::warn!(why, "the token with the master keys cannot be used");
                Self::new(Kind::ServiceUnavailable).after(TOKEN_AWAY_SECONDS)
            }
            other => Self::internal(other),
        }
    }
}

impl DataKey {
    /// Seals a document.
    ///
    /// # Errors
    /// The library refuses to work.
    pub fn seal(&self, kind: DocumentKind, bytes: &[u8]) -> Result<Vec<u8>, SealError> {
        let sealed = self.sealer.seal(document_context(self.application, kind).as_bytes(), bytes)?;
        Ok([&[UNDER_DATA_KEY], sealed.as_slice()].concat())
    }

    /// Opens a document, also one that was sealed before applications had keys.
    ///
    /// # Errors
    /// [`SealError::Changed`].
    pub fn open(&self, kind: DocumentKind, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        match sealed.split_first() {
            Some((&UNDER_DATA_KEY, rest)) => {
                self.sealer.open(document_context(self.application, kind).as_bytes(), rest)
            }
            _ => self.former.open(document_context(self.application, kind).as_bytes(), sealed),
        }
    }

    /// Was it sealed before applications had keys?
    pub fn is_former(sealed: &[u8]) -> bool {
        sealed.first() != Some(&UNDER_DATA_KEY)
    }
}

/// What a document is sealed for: it opens as no other kind and for no other application.
fn document_context(application: ApplicationId, kind: DocumentKind) -> String {
    format!("document/{application}/{}", kind.as_str())
}

fn wrap_context(application: ApplicationId) -> String {
    format!("data-key/{application}")
}

fn number_context(application: ApplicationId) -> String {
    format!("document-number/{application}")
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

#[cfg(test)]
mod tests {
    use ca_core::Timestamp;

    use super::*;

    fn vault(directory: &Path, keys: &[u8]) -> Result<Vault, VaultError> {
        let files: Vec<PathBuf> = keys
            .iter()
            .map(|octet| {
                let file = directory.join(format!("{octet}.key"));
                std::fs::write(&file, [*octet; 32]).unwrap();
                file
            })
            .collect();
        open(files)
    }

    fn open(files: Vec<PathBuf>) -> Result<Vault, VaultError> {
        let master_keys = files.into_iter().map(MasterKey::File).collect();
        let (directory, key_file, token) = Default::default();
        let settings = Documents { directory, key_file, master_keys, token };
        Vault::open(&settings, Arc::new(Sealer::new([9; 32]).unwrap()))
    }

    fn application() -> ApplicationId {
        ApplicationId::new(Timestamp::from_unix_millis(1_764_000_000_000))
    }

    #[test]
    fn what_one_application_seals_opens_for_it_alone() {
        let directory = tempfile::tempdir().unwrap();
        let vault = vault(directory.path(), &[1]).unwrap();
        let (id, other) = (application(), application());
        let number = DocumentNumber::parse("AA1234567").unwrap();
        let sealed = vault.new_key(id, Some(&number)).unwrap();
        assert_eq!(vault.document_number(id, &sealed).unwrap(), Some(number));
        assert!(vault.document_number(other, &sealed).is_err());
        assert!(!sealed.document.as_ref().unwrap().windows(7).any(|part| part == b"1234567"));
        let key = vault.unwrap(id, &sealed.key).unwrap();
        let photo = key.seal(DocumentKind::Photo, b"a face").unwrap();
        assert_eq!(key.open(DocumentKind::Photo, &photo).unwrap().as_slice(), b"a face");
        assert!(key.open(DocumentKind::Selfie, &photo).is_err());
        assert!(vault.unwrap(other, &sealed.key).is_err(), "the wrap is bound to its application");
        let anothers = vault.new_key(other, None).unwrap();
        assert!(vault.unwrap(other, &anothers.key).unwrap().open(DocumentKind::Photo, &photo).is_err());
    }

    #[test]
    fn a_key_moves_under_a_newer_master_key_and_needs_the_older_one_no_more() {
        let directory = tempfile::tempdir().unwrap();
        let id = application();
        let (old, both) = (vault(directory.path(), &[1]).unwrap(), vault(directory.path(), &[1, 2]).unwrap());
        let sealed = old.new_key(id, None).unwrap();
        let photo = old.unwrap(id, &sealed.key).unwrap().seal(DocumentKind::Photo, b"a face").unwrap();
        assert!(both.unwrap(id, &sealed.key).unwrap().open(DocumentKind::Photo, &photo).is_ok());
        let wrapped = both.rewrap(id, &sealed.key).unwrap().unwrap();
        assert_eq!(wrapped.master, both.newest());
        assert_eq!(both.rewrap(id, &wrapped).unwrap(), None);
        let new = vault(directory.path(), &[2]).unwrap();
        assert!(new.unwrap(id, &wrapped).unwrap().open(DocumentKind::Photo, &photo).is_ok());
        assert!(matches!(new.unwrap(id, &sealed.key), Err(VaultError::UnknownMaster(_))));
        assert!(old.unwrap(id, &wrapped).is_err());
    }

    #[test]
    fn what_was_sealed_before_there_were_keys_still_opens() {
        let directory = tempfile::tempdir().unwrap();
        let vault = vault(directory.path(), &[1]).unwrap();
        let id = application();
        let context = format!("document/{id}/photo");
        let former = Sealer::new([9; 32]).unwrap().seal(context.as_bytes(), b"a face").unwrap();
        assert!(DataKey::is_former(&former));
        let key = vault.unwrap(id, &vault.new_key(id, None).unwrap().key).unwrap();
        assert_eq!(key.open(DocumentKind::Photo, &former).unwrap().as_slice(), b"a face");
        assert!(!DataKey::is_former(&key.seal(DocumentKind::Photo, b"a face").unwrap()));
    }

    #[test]
    fn master_keys_are_whole_named_once_and_at_least_one() {
        let directory = tempfile::tempdir().unwrap();
        assert!(matches!(vault(directory.path(), &[]), Err(VaultError::NoMasterKey)));
        assert!(matches!(vault(directory.path(), &[1, 1]), Err(VaultError::Twice(_))));
        let short = directory.path().join("short.key");
        std::fs::write(&short, [1; 31]).unwrap();
        assert!(matches!(open(vec![short]), Err(VaultError::MasterKeyFile(..))));
        let absent = directory.path().join("absent.key");
        assert!(matches!(open(vec![absent]), Err(VaultError::MasterKeyFile(..))));
    }

    /// The keys by HKDF, the wrap and the document by AES-256-GCM, all by OpenSSL.
    #[test]
    fn openssl_unwraps_the_key_and_opens_the_document() {
        use openssl::md::Md;
        use openssl::pkey::Id;
        use openssl::pkey_ctx::PkeyCtx;
        use openssl::symm::{Cipher, decrypt_aead};
        let open = |key: &[u8], context: String, sealed: &[u8]| {
            let (nonce, body) = sealed[1..].split_at(12);
            let (text, tag) = body.split_at(body.len() - 16);
            decrypt_aead(Cipher::aes_256_gcm(), key, Some(nonce), context.as_bytes(), text, tag).unwrap()
        };
        let directory = tempfile::tempdir().unwrap();
        let vault = vault(directory.path(), &[1]).unwrap();
        let id = application();
        let sealed = vault.new_key(id, None).unwrap();
        let photo = vault.unwrap(id, &sealed.key).unwrap().seal(DocumentKind::Photo, b"a face").unwrap();
        let mut master = [0; 32];
        let mut hkdf = PkeyCtx::new_id(Id::HKDF).unwrap();
        hkdf.derive_init().unwrap();
        hkdf.set_hkdf_md(Md::sha256()).unwrap();
        hkdf.set_hkdf_salt(&[]).unwrap();
        hkdf.set_hkdf_key(&[1; 32]).unwrap();
        hkdf.add_hkdf_info(b"muhr/master-key/1").unwrap();
        hkdf.derive(Some(&mut master)).unwrap();
        let key = open(&master, format!("data-key/{id}"), &sealed.key.wrapped);
        assert_eq!(open(&key, format!("document/{id}/photo"), &photo[1..]), b"a face");
    }
}
