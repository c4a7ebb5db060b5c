//! Where our keys are: each in a file under a passphrase, or on a token under a PIN, as the settings say. Secrets are read
//! from their files, or asked for when the first key needs them.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ca_core::signer::{FileKey, KeyAlgorithm, Signer};
use config::Settings;
use config::settings::OnToken;
use secrecy::SecretString;
use store::issuers;
use token_key::{KeyName, Token, TokenKey, TokenName, WrappingKey};
use zeroize::Zeroizing;

use crate::keys::{self, KeyError};
use crate::shares::Shares;

/// The officer CA's key, as [`Keyring`] names it.
pub(crate) const OFFICER_CA: &str = "officer-ca";
/// What the names of the first issuing CA's successors begin with.
pub(crate) const SUCCESSOR: &str = "ca-";
/// The responder's key.
pub(crate) const OCSP: &str = "ocsp";
/// The audit key.
pub(crate) const AUDIT: &str = "audit";

/// How often in a row a share may be mistyped.
const MISTAKES: u32 = 5;

/// Asks a person for a secret.
pub(crate) type Ask<'a> = dyn Fn(&str) -> io::Result<Zeroizing<String>> + Send + Sync + 'a;

/// Wiped when the last key that needs it is open.
type Passphrase = Arc<Zeroizing<Vec<u8>>>;

/// Opens and makes the keys that the settings name.
pub struct Keyring<'a> {
    settings: &'a Settings,
    ask: Box<Ask<'a>>,
    /// What was read or typed once: the passphrases of the CA's files and of the responder's.
    passphrases: Mutex<[Option<Passphrase>; 2]>,
    /// Opening a file is slow on purpose: once is enough.
    opened: Opened,
    /// A PIN is asked for once, however many keys are on its token.
    tokens: Mutex<Vec<(PathBuf, TokenName, Arc<Token>)>>,
}

/// The keys of files, by their places.
type Opened = Arc<Mutex<HashMap<PathBuf, Arc<FileKey>>>>;

/// Whose key it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    Ca,
    Responder,
}

/// A key that was made and is not kept yet. One that is dropped leaves nothing behind.
pub struct NewKey {
    signer: Arc<dyn Signer>,
    made: Made,
}

enum Made {
    ForFile { key: Arc<FileKey>, path: PathBuf, passphrase: Passphrase, passes: u16, opened: Opened },
    OnToken(Arc<TokenKey>),
    Kept,
}

impl<'a> Keyring<'a> {
    /// The keys of these settings; `ask` shows its text and gives what was typed.
    pub fn new(
        settings: &'a Settings,
        ask: impl Fn(&str) -> io::Result<Zeroizing<String>> + Send + Sync + 'a,
    ) -> Self {
        let (passphrases, opened, tokens) = Default::default();
        Self { settings, ask: Box::new(ask), passphrases, opened, tokens }
    }

    /// Of which every file has this passphrase, and every token has its PIN in a file.
    pub fn with_passphrase(settings: &'a Settings, passphrase: &[u8]) -> Self {
        let nobody = |_: &str| Err(io::Error::other("nobody is here to be asked"));
        let ring = Self::new(settings, nobody);
        let known = Some(Arc::new(Zeroizing::new(passphrase.to_vec())));
        *ring.passphrases.lock().unwrap_or_else(PoisonError::into_inner) = [known.clone(), known];
        ring
    }

    /// The key of a CA, by its short name.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn issuer(&self, id: &str) -> Result<Arc<dyn Signer>, KeyError> {
        self.load(self.issuer_on_token(id), Whose::Ca, &self.issuer_file(id))
    }

    /// Whether the key of a CA can be expected here: a root's is elsewhere most of the time.
    pub fn may_have_issuer(&self, id: &str) -> bool {
        self.issuer_on_token(id).is_some() || self.issuer_file(id).exists()
    }

    /// Whether there is a key of a CA already.
    ///
    /// # Errors
    /// [`KeyError`]: the token cannot be asked.
    pub fn has_issuer(&self, id: &str) -> Result<bool, KeyError> {
        self.is_there(self.issuer_on_token(id), &self.issuer_file(id))
    }

    /// Destroys the key of a CA: on its token, or the octets of its file and then the file. Copies elsewhere are not its own.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn destroy_issuer(&self, id: &str) -> Result<(), KeyError> {
        match self.issuer_on_token(id) {
            Some(place) => Ok(TokenKey::open(self.token(&place)?, key_name(&place)?)?.destroy()?),
            None => {
                let file = self.issuer_file(id);
                self.opened.lock().unwrap_or_else(PoisonError::into_inner).remove(&file);
                keys::destroy(&file)
            }
        }
    }

    /// This machine's OCSP responder's key.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn responder(&self) -> Result<Arc<dyn Signer>, KeyError> {
        self.load(self.settings.ocsp.token.key(), Whose::Responder, &self.settings.ocsp.key_file)
    }

    /// Whether there is a responder's key already.
    ///
    /// # Errors
    /// [`KeyError`]: the token cannot be asked.
    pub fn has_responder(&self) -> Result<bool, KeyError> {
        self.is_there(self.settings.ocsp.token.key(), &self.settings.ocsp.key_file)
    }

    /// The key that signs the heads of the audit log.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn audit(&self) -> Result<Arc<dyn Signer>, KeyError> {
        self.load(self.settings.keys.token.audit(), Whose::Ca, &self.audit_file())
    }

    /// Whether there is an audit key already.
    ///
    /// # Errors
    /// [`KeyError`]: the token cannot be asked.
    pub fn has_audit(&self) -> Result<bool, KeyError> {
        self.is_there(self.settings.keys.token.audit(), &self.audit_file())
    }

    /// A new audit key.
    ///
    /// # Errors
    /// [`KeyError`]; a key that exists stays as it is.
    pub fn make_audit(&self) -> Result<NewKey, KeyError> {
        let (place, file) = (self.settings.keys.token.audit(), self.audit_file());
        self.make(place, Whose::Ca, file, "Muhr audit key", KeyAlgorithm::P256)
    }

    /// Where the newest head that was signed here is remembered.
    pub fn audit_memory(&self) -> PathBuf {
        self.settings.keys.directory.join("audit.head")
    }

    fn audit_file(&self) -> PathBuf {
        self.settings.keys.directory.join("audit.key")
    }

    /// The files that new keys of these names would have to overwrite.
    pub fn files_in_the_way(&self, names: &[&str]) -> Vec<PathBuf> {
        let places = names.iter().map(|name| self.place(name));
        places
            .filter(|(token, _)| token.is_none())
            .map(|(_, file)| file)
            .filter(|file| file.exists())
            .collect()
    }

    /// The places of all keys that the settings can name: a token, or else a file.
    fn place(&self, name: &str) -> (Option<OnToken<'_>>, PathBuf) {
        match name {
            OCSP => (self.settings.ocsp.token.key(), self.settings.ocsp.key_file.clone()),
            AUDIT => (self.settings.keys.token.audit(), self.audit_file()),
            id => (self.issuer_on_token(id), self.issuer_file(id)),
        }
    }

    /// A new key for a CA.
    ///
    /// # Errors
    /// [`KeyError`]; a key that exists stays as it is.
    pub fn make_issuer(&self, id: &str, algorithm: KeyAlgorithm) -> Result<NewKey, KeyError> {
        let place = self.issuer_on_token(id);
        self.make(place, Whose::Ca, self.issuer_file(id), &format!("Muhr CA key ({id})"), algorithm)
    }

    /// A new key for this machine's responder.
    ///
    /// # Errors
    /// [`KeyError`]; a key that exists stays as it is.
    pub fn make_responder(&self) -> Result<NewKey, KeyError> {
        let (place, file) = (self.settings.ocsp.token.key(), self.settings.ocsp.key_file.clone());
        self.make(place, Whose::Responder, file, "Muhr OCSP key", KeyAlgorithm::P256)
    }

    /// Makes a master key of this label on the token of `[documents.token]`.
    ///
    /// # Errors
    /// [`KeyError`]: no token is named, there is something of this label already, or the token cannot make or keep such a key.
    pub fn make_master(&self, label: &str) -> Result<(), KeyError> {
        let place = self.settings.documents.token.key(label).ok_or(KeyError::Unnamed)?;
        WrappingKey::generate(self.token(&place)?, key_name(&place)?)?;
        Ok(())
    }

    /// Whether there is a master key of this label on the token.
    ///
    /// # Errors
    /// [`KeyError`]: no token is named, or it cannot be asked.
    pub fn has_master(&self, label: &str) -> Result<bool, KeyError> {
        let place = self.settings.documents.token.key(label).ok_or(KeyError::Unnamed)?;
        Ok(self.token(&place)?.has_secret(&key_name(&place)?)?)
    }

    /// Looks for every key that the settings place on a token, and tells in a line each what was found. Nobody is asked for
    /// anything: a PIN that is in no file is left to the start.
    ///
    /// # Errors
    /// [`KeyError`]: a token cannot be reached, or does not take its PIN.
    pub fn look_at_tokens(&self) -> Result<Vec<String>, KeyError> {
        let ca = &self.settings.keys.token;
        let places = [
            ("the root's key", ca.root()),
            ("the issuing CA's key", ca.issuing()),
            ("the audit key", ca.audit()),
            ("the officer CA's key", ca.officers()),
            ("the OCSP responder's key", self.settings.ocsp.token.key()),
        ];
        let mut lines = Vec::new();
        for (what, place) in places {
            let Some(place) = place else { continue };
            let (token, key) = (token_name(&place)?, key_name(&place)?);
            lines.push(if place.pin_file.is_none() {
                let unopened = Token::new(place.module, token.clone(), SecretString::default(), 1)?;
                unopened.find()?;
                format!("{what}: {token} is there; its PIN will be asked for")
            } else if self.token(&place)?.has(&key)? {
                self.open(&place)?;
                format!("{what}: {key} is on {token}, and signs")
            } else {
                format!("{what}: {token} is there, with no key of {key} yet")
            });
        }
        let documents = &self.settings.documents;
        for place in documents.master_key_labels().filter_map(|label| documents.token.key(label)) {
            let (token, key) = (token_name(&place)?, key_name(&place)?);
            lines.push(if self.token(&place)?.has_secret(&key)? {
                WrappingKey::open(self.token(&place)?, key.clone())?;
                format!("a master key: {key} is on {token}, and wraps")
            } else {
                format!("a master key: {token} is there, with no key of {key} yet")
            });
        }
        Ok(lines)
    }

    /// From its token, or else from its file.
    fn load(
        &self,
        place: Option<OnToken<'_>>,
        whose: Whose,
        file: &Path,
    ) -> Result<Arc<dyn Signer>, KeyError> {
        match place {
            Some(place) => self.open(&place),
            None => {
                let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(key) = opened.get(file) {
                    return Ok(Arc::clone(key) as _);
                }
                let key = Arc::new(keys::load(file, &self.passphrase(whose)?)?);
                opened.insert(file.to_owned(), Arc::clone(&key));
                Ok(key)
            }
        }
    }

    fn is_there(&self, place: Option<OnToken<'_>>, file: &Path) -> Result<bool, KeyError> {
        match place {
            Some(place) => Ok(self.token(&place)?.has(&key_name(&place)?)?),
            None => Ok(file.exists()),
        }
    }

    fn make(
        &self,
        place: Option<OnToken<'_>>,
        whose: Whose,
        path: PathBuf,
        label: &str,
        algorithm: KeyAlgorithm,
    ) -> Result<NewKey, KeyError> {
        if let Some(place) = place {
            let key = TokenKey::generate(self.token(&place)?, key_name(&place)?, label, algorithm)?;
            let key = Arc::new(key);
            return Ok(NewKey { signer: Arc::clone(&key) as _, made: Made::OnToken(key) });
        }
        let passphrase = self.passphrase(whose)?;
        let made =
            FileKey::generate(algorithm).map_err(|reason| KeyError::Key { path: path.clone(), reason })?;
        let (key, passes, opened) =
            (Arc::new(made), self.settings.keys.scrypt_passes, Arc::clone(&self.opened));
        Ok(NewKey {
            signer: Arc::clone(&key) as _,
            made: Made::ForFile { key, path, passphrase, passes, opened },
        })
    }

    fn issuer_on_token(&self, id: &str) -> Option<OnToken<'_>> {
        match id {
            issuers::ISSUING => self.settings.keys.token.issuing(),
            issuers::ROOT => self.settings.keys.token.root(),
            OFFICER_CA => self.settings.keys.token.officers(),
            _ => self.settings.keys.token.successor(id.strip_prefix(SUCCESSOR)?),
        }
    }

    fn issuer_file(&self, id: &str) -> PathBuf {
        self.settings.keys.directory.join(format!("{id}.key"))
    }

    fn open(&self, place: &OnToken<'_>) -> Result<Arc<dyn Signer>, KeyError> {
        Ok(Arc::new(TokenKey::open(self.token(place)?, key_name(place)?)?))
    }

    fn token(&self, place: &OnToken<'_>) -> Result<Arc<Token>, KeyError> {
        let name = token_name(place)?;
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let known = tokens.iter().find(|(module, known, _)| module == place.module && *known == name);
        if let Some((.., token)) = known {
            return Ok(Arc::clone(token));
        }
        let token = open_token(place, &*self.ask)?;
        tokens.push((place.module.clone(), name, Arc::clone(&token)));
        Ok(token)
    }

    fn passphrase(&self, whose: Whose) -> Result<Passphrase, KeyError> {
        let file = match whose {
            Whose::Ca => &self.settings.keys.passphrase_file,
            Whose::Responder => &self.settings.ocsp.passphrase_file,
        };
        let mut known = self.passphrases.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(passphrase) = &known[whose as usize] {
            return Ok(Arc::clone(passphrase));
        }
        match file {
            Some(file) => {
                let read = Arc::new(keys::passphrase(file)?);
                known[whose as usize] = Some(Arc::clone(&read));
                Ok(read)
            }
            // Where no file has another, all files have one.
            None => {
                let told = if self.settings.keys.in_shares { self.gather()? } else { self.typed()? };
                let told = Arc::new(told);
                known[Whose::Ca as usize] = Some(Arc::clone(&told));
                known[Whose::Responder as usize].get_or_insert_with(|| Arc::clone(&told));
                Ok(told)
            }
        }
    }

    fn typed(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let typed = (self.ask)("Passphrase of the CA keys: ").map_err(KeyError::Ask)?;
        Ok(Zeroizing::new(typed.as_bytes().to_vec()))
    }

    /// From the shares in files and on the terminal, as many as it takes. Who mistypes one is asked for it again.
    fn gather(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let mut shares = Shares::default();
        for file in &self.settings.keys.share_files {
            // Its keeper is not here; enough others may be.
            if shares.passphrase().is_some() || !file.exists() {
                continue;
            }
            let line = keys::passphrase(file)?;
            let text = String::from_utf8_lossy(&line);
            shares.add(&text).map_err(|fault| KeyError::Share(file.display().to_string(), fault))?;
        }
        let mut mistakes = 0;
        loop {
            if let Some(passphrase) = shares.passphrase() {
                return Ok(passphrase);
            }
            let typed = (self.ask)(&shares.question()).map_err(KeyError::Ask)?;
            match shares.add(&typed) {
                Ok(()) => mistakes = 0,
                Err(fault) if mistakes == MISTAKES => return Err(KeyError::Share("typed".to_owned(), fault)),
                Err(_) => mistakes += 1,
            }
        }
    }

    /// Puts every key file that has the CA's passphrase under another one: all files beside the old ones first, then each in
    /// the old one's place. Returns their places.
    ///
    /// # Errors
    /// [`KeyError`]. One while files are written beside the old ones changes nothing; after a later one, some `*.new` are left, of
    /// keys that are not in place yet.
    pub(crate) fn change_passphrase(
        &self,
        names: &[String],
        new: Zeroizing<Vec<u8>>,
    ) -> Result<Vec<PathBuf>, KeyError> {
        let is_one = self.settings.ocsp.passphrase_file == self.settings.keys.passphrase_file;
        let places = names
            .iter()
            .map(String::as_str)
            .filter(|name| *name != OCSP || is_one)
            .map(|name| self.place(name));
        let files: Vec<PathBuf> =
            places.filter(|(token, file)| token.is_none() && file.exists()).map(|(_, file)| file).collect();
        let mut beside = Vec::with_capacity(files.len());
        if let Err(error) = self.write_beside(&files, &new, &mut beside) {
            for path in beside {
                if let Err(error) = fs::remove_file(&path) {
                    tracing::error!(%error, file = %path.display(), "this key under a passphrase that nobody has is left: remove it");
                }
            }
            return Err(error);
        }
        for (file, beside) in files.iter().zip(&beside) {
            keys::move_over(beside, file)?;
        }
        let new = Arc::new(new);
        let mut known = self.passphrases.lock().unwrap_or_else(PoisonError::into_inner);
        known[Whose::Ca as usize] = Some(Arc::clone(&new));
        if is_one {
            known[Whose::Responder as usize] = Some(new);
        }
        Ok(files)
    }

    /// Each key under the new passphrase, in a file that did not exist.
    fn write_beside(&self, files: &[PathBuf], new: &[u8], beside: &mut Vec<PathBuf>) -> Result<(), KeyError> {
        let old = self.passphrase(Whose::Ca)?;
        for file in files {
            let path = file.with_extension("key.new");
            keys::store(&path, &keys::load(file, &old)?, new, self.settings.keys.scrypt_passes)?;
            beside.push(path);
        }
        Ok(())
    }
}

impl NewKey {
    /// Whether it is on a token.
    pub fn is_on_token(&self) -> bool {
        matches!(self.made, Made::OnToken(_))
    }

    /// The key, to sign with.
    pub fn signer(&self) -> &Arc<dyn Signer> {
        &self.signer
    }

    /// From now on it is there: in its file, or on its token for good.
    ///
    /// # Errors
    /// [`KeyError`]: the file cannot be written.
    pub fn keep(&mut self) -> Result<(), KeyError> {
        if let Made::ForFile { key, path, passphrase, passes, opened } = &self.made {
            keys::store(path, key, passphrase, *passes)?;
            let mut opened = opened.lock().unwrap_or_else(PoisonError::into_inner);
            opened.insert(path.clone(), Arc::clone(key));
        }
        self.made = Made::Kept;
        Ok(())
    }
}

impl Drop for NewKey {
    fn drop(&mut self) {
        if let Made::OnToken(key) = &self.made
            && let Err(error) = key.destroy()
        {
            tracing::error!(%error, key = %key.name(), "a key that signed nothing is left on the token: remove it by hand");
        }
    }
}

/// The token of a key, with its PIN from the file that the settings name, or as it was asked for.
pub(crate) fn open_token(place: &OnToken<'_>, ask: &Ask<'_>) -> Result<Arc<Token>, KeyError> {
    let name = token_name(place)?;
    let pin = match place.pin_file {
        Some(file) => {
            let line = keys::passphrase(file)?;
            let text = std::str::from_utf8(&line).map_err(|_| KeyError::PinIsNoText(file.clone()))?;
            SecretString::from(text)
        }
        None => SecretString::from(ask(&format!("PIN of {name}: ")).map_err(KeyError::Ask)?.as_str()),
    };
    Ok(Token::new(place.module, name, pin, place.sessions)?)
}

fn token_name(place: &OnToken<'_>) -> Result<TokenName, KeyError> {
    match (place.token_label, place.token_serial) {
        (Some(label), _) => Ok(TokenName::Label(label.to_owned())),
        (None, Some(serial)) => Ok(TokenName::Serial(serial.to_owned())),
        (None, None) => Err(KeyError::Unnamed),
    }
}

pub(crate) fn key_name(place: &OnToken<'_>) -> Result<KeyName, KeyError> {
    let id = place.key_id.map(hex::decode).transpose().map_err(|_| KeyError::Unnamed)?;
    KeyName::new(place.key_label.as_deref().map(str::to_owned), id).ok_or(KeyError::Unnamed)
}
