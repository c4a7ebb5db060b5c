//! Who can open the keys: several people together, and nobody alone.

use std::path::PathBuf;

use store::{audit, issuers};
use zeroize::Zeroizing;

use super::succession::next_id;
use super::{Ceremony, CeremonyError};
use crate::keyring::{AUDIT, OCSP, OFFICER_CA};
use crate::shares::Shares;

impl Ceremony<'_> {
    /// Puts the CA's key files under a new passphrase that nobody knows, in `count` shares, any `needed` of which tell it.
    /// `hand_out` writes the shares before a key changes. Returns the files.
    ///
    /// # Errors
    /// [`CeremonyError::Shares`]: fewer than two, or more than there are; others.
    pub fn split_passphrase<E: From<CeremonyError>>(
        &mut self,
        (needed, count): (u8, u8),
        hand_out: impl FnOnce(&[Zeroizing<String>]) -> Result<(), E>,
    ) -> Result<Vec<PathBuf>, E> {
        if needed < 2 || count < needed {
            return Err(CeremonyError::Shares.into());
        }
        let names = self.names_of_keys()?;
        let (passphrase, shares) = Shares::split(needed, count).map_err(CeremonyError::from)?;
        hand_out(&shares)?;
        let files = self.keyring.change_passphrase(&names, passphrase).map_err(CeremonyError::from)?;
        let names: Vec<String> =
            files.iter().filter_map(|file| Some(file.file_name()?.to_string_lossy().into_owned())).collect();
        self.transcript
            .line("passphrase-split", format_args!("{needed} of {count}, for {}", names.join(" ")));
        let details = serde_json::json!({ "needed": needed, "shares": count, "files": names });
        let entry = self.entry("key.split", "keys".to_owned(), details);
        self.database.write(|connection| audit::record(connection, &[entry])).map_err(CeremonyError::from)?;
        Ok(files)
    }

    fn names_of_keys(&self) -> Result<Vec<String>, CeremonyError> {
        let mut names: Vec<String> = [issuers::ROOT, OFFICER_CA, AUDIT, OCSP].map(str::to_owned).to_vec();
        let issuing = self.database.read(issuers::all)?.into_iter();
        names.extend(issuing.filter(issuers::Issuer::is_issuing).map(|issuer| issuer.id));
        // One that waits for its certificate.
        names.push(next_id(self.database)?);
        Ok(names)
    }
}
