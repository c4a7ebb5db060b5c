//! The tables a process works by: fees, regions and certificate profiles; built in, or from files of the settings.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use ca_core::fee::FeeTable;
use ca_core::profile::{Profile, ProfileDocument};
use ca_core::subject::Regions;
use serde::de::DeserializeOwned;

use crate::Settings;

const FEES: &str = include_str!("../fees.toml");
const REGIONS: &str = include_str!("../regions.toml");
const PROFILES: [(&str, &str); 6] = [
    ("root", include_str!("../profiles/root.toml")),
    ("issuing_ca", include_str!("../profiles/issuing_ca.toml")),
    ("ocsp_signer", include_str!("../profiles/ocsp_signer.toml")),
    ("natural_person", include_str!("../profiles/natural_person.toml")),
    ("sole_proprietor", include_str!("../profiles/sole_proprietor.toml")),
    ("legal_entity", include_str!("../profiles/legal_entity.toml")),
];

/// A table cannot be read, or breaks a rule.
#[derive(Debug, thiserror::Error)]
#[error("{table}: {reason}")]
pub struct TableError {
    /// The file, or the name of the built-in table.
    pub table: String,
    /// What is wrong, with the line.
    pub reason: String,
}

/// What certificates cost.
///
/// # Errors
/// [`TableError`] for `data.fees_file`.
pub fn fees(settings: &Settings) -> Result<FeeTable, TableError> {
    load("fees.toml", FEES, settings.data.fees_file.as_deref())
}

/// Regions and districts.
///
/// # Errors
/// [`TableError`] for `data.regions_file`.
pub fn regions(settings: &Settings) -> Result<Regions, TableError> {
    load("regions.toml", REGIONS, settings.data.regions_file.as_deref())
}

/// Certificate profiles by name. A file `<name>.toml` in `data.profiles_directory` takes the place of the built-in one.
///
/// # Errors
/// [`TableError`] for the profile that is broken.
pub fn profiles(settings: &Settings) -> Result<BTreeMap<String, Profile>, TableError> {
    PROFILES
        .iter()
        .map(|(name, built_in)| {
            let given = settings
                .data
                .profiles_directory
                .as_ref()
                .map(|directory| directory.join(format!("{name}.toml")));
            let given: Option<PathBuf> = given.filter(|path| path.exists());
            let document: ProfileDocument = load(name, built_in, given.as_deref())?;
            let profile = Profile::try_from(document)
                .map_err(|error| TableError { table: (*name).to_owned(), reason: error.to_string() })?;
            Ok(((*name).to_owned(), profile))
        })
        .collect()
}

fn load<T: DeserializeOwned>(name: &str, built_in: &str, given: Option<&Path>) -> Result<T, TableError> {
    let table = given.map_or_else(|| name.to_owned(), |path| path.display().to_string());
    let broken = |reason: String| TableError { table: table.clone(), reason };
    match given {
        Some(path) => {
            let text = fs::read_to_string(path).map_err(|error| broken(error.to_string()))?;
            toml::from_str(&text).map_err(|error| broken(error.to_string()))
        }
        None => toml::from_str(built_in).map_err(|error| broken(error.to_string())),
    }
}
