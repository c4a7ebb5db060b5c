//! How a process starts: defaults, fees, regions, service centres, profiles, texts, the clock.
//!
//! Everything is built into the program; files given by configuration take the place of single pieces.

pub mod clock;
pub mod language;
pub mod service_centres;
pub mod settings;
pub mod sms;
pub mod tables;
pub mod texts;

pub use language::Language;
pub use settings::Settings;
pub use tables::Tables;
