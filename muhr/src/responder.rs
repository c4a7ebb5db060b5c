//! `muhr ocsp key`: the key of a responder on a machine of its own, and the request to certify it.

use ca_signer::certification_request;

use crate::commands::{Place, keyring};
use crate::failure::{Failure, say};

/// Makes the key if there is none, in its file or on its token, and prints the certification request (PEM).
pub(crate) fn key(place: &Place) -> Result<(), Failure> {
    let settings = place.settings(&[])?;
    let keyring = keyring(&settings);
    if !keyring.has_responder()? {
        keyring.make_responder()?.keep()?;
    }
    say(certification_request(keyring.responder()?)?);
    Ok(())
}
