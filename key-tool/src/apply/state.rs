//! What is remembered between two runs, in a small file beside the key.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Answers;
use crate::disk;
use crate::trouble::{Exit, Trouble};

const MAX_SIZE: u64 = 256 << 10;

/// An application that was begun. The file is its owner's alone where the disk knows owners; the token in it opens this
/// applicant's applications for a day, and no key.
#[derive(Clone, Serialize, Deserialize)]
pub struct State {
    /// The server's address.
    pub server: String,
    /// Under this name the server makes the application once, however often it is asked.
    pub(super) idempotency_key: String,
    /// The application, once there is one.
    pub application: Option<String>,
    /// What the confirmed phone gave.
    pub(super) token: Option<String>,
    /// What was answered.
    pub answers: Answers,
}

impl State {
    /// Nothing is done yet.
    ///
    /// # Errors
    /// There are no random numbers.
    pub fn new(server: &str, answers: Answers) -> Result<Self, Trouble> {
        let mut random = [0_u8; 16];
        aws_lc_rs::rand::fill(&mut random).map_err(|_| Trouble::cryptography())?;
        let idempotency_key = hex::encode(random);
        Ok(Self { server: server.to_owned(), idempotency_key, application: None, token: None, answers })
    }

    /// What is remembered of the application for this key; none if there is nothing.
    ///
    /// # Errors
    /// The file is there and cannot be understood.
    pub fn of(key: &Path) -> Result<Option<Self>, Trouble> {
        let path = Self::path(key);
        if !path.exists() {
            return Ok(None);
        }
        let octets = disk::read(&path, MAX_SIZE)?;
        let wrong = |error: serde_json::Error| {
            Trouble::new("state-file", Exit::File).about(&path).with("reason", error)
        };
        serde_json::from_slice(&octets).map(Some).map_err(wrong)
    }

    /// Where it is kept: the key's name with another ending.
    pub fn path(key: &Path) -> PathBuf {
        key.with_extension("application.json")
    }

    /// Keeps it.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub fn save(&self, key: &Path) -> Result<(), Trouble> {
        let octets = serde_json::to_vec_pretty(self).map_err(|_| Trouble::cryptography())?;
        disk::replace(&Self::path(key), &octets)
    }

    /// Forgets it: the application has its certificate.
    pub fn remove(key: &Path) {
        let _ = fs::remove_file(Self::path(key));
    }
}
