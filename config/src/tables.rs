//! Prices, regions and certificate profiles: data that is checked once at the start.

use std::collections::BTreeMap;
use std::path::Path;

use ca_core::approval::Policy;
use ca_core::fee::FeeTable;
use ca_core::profile::{Kind, Profile};
use ca_core::subject::Regions;
use serde::de::DeserializeOwned;

use crate::settings::Data;

const FEES: &str = include_str!("../fees.toml");
const REGIONS: &str = include_str!("../regions.toml");
const APPROVAL: &str = include_str!("../approval.toml");
/// The profiles that the program asks for by name, with their kinds.
const PROFILES: [(&str, Kind, &str); 8] = [
    ("root", Kind::Root, include_str!("../profiles/root.toml")),
    ("issuing_ca", Kind::IssuingCa, include_str!("../profiles/issuing_ca.toml")),
    ("ocsp_signer", Kind::OcspSigner, include_str!("../profiles/ocsp_signer.toml")),
    ("officer_ca", Kind::Root, include_str!("../profiles/officer_ca.toml")),
    ("officer", Kind::Officer, include_str!("../profiles/officer.toml")),
    ("natural_person", Kind::EndEntity, include_str!("../profiles/natural_person.toml")),
    ("sole_proprietor", Kind::EndEntity, include_str!("../profiles/sole_proprietor.toml")),
    ("legal_entity", Kind::EndEntity, include_str!("../profiles/legal_entity.toml")),
];

/// Everything that is data rather than a setting.
#[derive(Debug, Clone)]
pub struct Tables {
    /// What a certificate costs, by day.
    pub fees: FeeTable,
    /// Regions with their districts.
    pub regions: Regions,
    /// Certificate profiles.
    pub profiles: Profiles,
    /// How many officers sign what.
    pub approval: Policy,
}

/// Certificate profiles by name; those the program asks for are always there.
#[derive(Debug, Clone)]
pub struct Profiles(BTreeMap<String, Profile>);

/// A table cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TablesError {
    /// The file or directory is absent or may not be read.
    #[error("{file} cannot be read: {reason}")]
    Unreadable {
        /// The file.
        file: String,
        /// What the system says.
        reason: std::io::Error,
    },
    /// Not TOML, or against a rule of the table.
    #[error("{file}: {rule}")]
    Rule {
        /// The file, or the name of what is built in.
        file: String,
        /// The rule, with its place.
        rule: String,
    },
    /// Two files describe one profile.
    #[error("profile {0} is described twice")]
    Twice(String),
    /// A profile the program asks for has become another kind of certificate.
    #[error("profile {0} must be of kind {1:?}")]
    Kind(&'static str, Kind),
}

impl Tables {
    /// The built-in tables, with the files that the settings name in their place.
    ///
    /// # Errors
    /// The first file that cannot be used.
    pub fn load(data: &Data) -> Result<Self, TablesError> {
        Ok(Self {
            fees: table(data.fees_file.as_deref(), "fees.toml", FEES)?,
            regions: table(data.regions_file.as_deref(), "regions.toml", REGIONS)?,
            profiles: Profiles::load(data.profiles_directory.as_deref())?,
            approval: approval_policy(data.approval_file.as_deref())?,
        })
    }
}

/// How many officers sign what: the file's, or what is built in.
///
/// # Errors
/// The file cannot be used.
pub fn approval_policy(file: Option<&Path>) -> Result<Policy, TablesError> {
    table(file, "approval.toml", APPROVAL)
}

impl Profiles {
    /// The built-in profiles; `*.toml` files in the directory take the place of those of the same name, or add to them.
    fn load(directory: Option<&Path>) -> Result<Self, TablesError> {
        let mut profiles = BTreeMap::new();
        for (name, _, text) in PROFILES {
            profiles.insert(name.to_owned(), parse(name, text)?);
        }
        let mut given = BTreeMap::new();
        for file in directory.map(toml_files).transpose()?.unwrap_or_default() {
            let profile: Profile = table(Some(&file), "", "")?;
            if let Some(twice) = given.insert(profile.name().to_owned(), profile) {
                return Err(TablesError::Twice(twice.name().to_owned()));
            }
        }
        profiles.append(&mut given);
        for (name, kind, _) in PROFILES {
            if profiles.get(name).map(Profile::kind) != Some(kind) {
                return Err(TablesError::Kind(name, kind));
            }
        }
        Ok(Self(profiles))
    }

    /// The profile of a name: `root`, `issuing_ca`, `ocsp_signer`, a subject type's, or one of the operator's.
    pub fn get(&self, name: &str) -> Option<&Profile> {
        self.0.get(name)
    }

    /// Every profile, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Profile> {
        self.0.values()
    }
}

/// The file's table, or the built-in one.
pub(crate) fn table<T: DeserializeOwned>(
    file: Option<&Path>,
    name: &str,
    built_in: &str,
) -> Result<T, TablesError> {
    let Some(file) = file else { return parse(name, built_in) };
    let shown = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|reason| unreadable(file, reason))?;
    parse(&shown, &text)
}

fn parse<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, TablesError> {
    toml::from_str(text).map_err(|rule| TablesError::Rule { file: file.to_owned(), rule: rule.to_string() })
}

/// In the order of their names, so that every start reads the same.
fn toml_files(directory: &Path) -> Result<Vec<std::path::PathBuf>, TablesError> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(|reason| unreadable(directory, reason))? {
        let path = entry.map_err(|reason| unreadable(directory, reason))?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn unreadable(file: &Path, reason: std::io::Error) -> TablesError {
    TablesError::Unreadable { file: file.display().to_string(), reason }
}

#[cfg(test)]
mod tests {
    use ca_core::fee::Channel;
    use ca_core::subject::SubjectType;

    use super::*;
    use crate::Settings;
    use crate::settings::Sources;

    fn load(key: &str, path: &Path) -> Result<Tables, TablesError> {
        let sources = Sources::default().with(key, path.to_str().unwrap());
        Tables::load(&Settings::load(&sources, &[]).unwrap().data)
    }

    #[test]
    fn the_program_needs_no_file_beside_it() {
        let tables = load("data.fees_file", Path::new("")).unwrap();
        let day = "2025-09-01T00:00:00Z".parse().unwrap();
        let quote = tables.fees.quote(SubjectType::NaturalPerson, Channel::MyGov, None, day).unwrap();
        assert_eq!(quote.amount_tiyin, 2_595_600);
        assert_eq!(tables.regions.iter().count(), 14);
        for subject_type in SubjectType::ALL {
            assert_eq!(tables.profiles.get(subject_type.as_str()).map(Profile::kind), Some(Kind::EndEntity));
        }
        assert_eq!(tables.profiles.iter().count(), 8);
    }

    #[test]
    fn a_file_takes_the_place_of_what_is_built_in() {
        let directory = tempfile::tempdir().unwrap();
        let fees = directory.path().join("fees.toml");
        std::fs::write(&fees, FEES.replace("41_200_000", "99_900_000")).unwrap();
        let day = "2026-09-01T00:00:00Z".parse().unwrap();
        let price =
            |tables: Tables| tables.fees.quote(SubjectType::LegalEntity, Channel::Online, None, day).unwrap();
        assert_ne!(
            price(load("data.fees_file", &fees).unwrap()),
            price(load("data.fees_file", Path::new("")).unwrap())
        );

        let profiles = directory.path().join("profiles");
        std::fs::create_dir(&profiles).unwrap();
        let short = PROFILES[5].2.replace("default_months = 12", "default_months = 6");
        std::fs::write(profiles.join("natural.toml"), &short).unwrap();
        std::fs::write(profiles.join("bank.toml"), short.replace("\"natural_person\"", "\"bank\"")).unwrap();
        let tables = load("data.profiles_directory", &profiles).unwrap();
        assert_eq!(tables.profiles.get("natural_person").unwrap().default_months(), 6);
        assert_eq!(tables.profiles.iter().count(), 9);
    }

    #[test]
    fn a_table_that_cannot_be_used_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("one.toml");
        assert!(matches!(load("data.regions_file", &path), Err(TablesError::Unreadable { .. })));
        std::fs::write(&path, "regions = []").unwrap();
        assert!(matches!(load("data.regions_file", &path), Err(TablesError::Rule { .. })));
        std::fs::write(&path, PROFILES[3].2).unwrap();
        load("data.profiles_directory", directory.path()).unwrap();
        std::fs::write(directory.path().join("two.toml"), PROFILES[3].2).unwrap();
        assert!(matches!(load("data.profiles_directory", directory.path()), Err(TablesError::Twice(_))));
        std::fs::write(
            directory.path().join("two.toml"),
            PROFILES[0].2.replace("name = \"root\"", "name = \"legal_entity\""),
        )
        .unwrap();
        assert!(matches!(
            load("data.profiles_directory", directory.path()),
            Err(TablesError::Kind("legal_entity", _))
        ));
    }
}
