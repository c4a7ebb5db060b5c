//! `muhr key`: keys on the machine of whoever owns them.
//!
//! Nothing here needs a server but [`apply`], [`fetch`] and the status in [`verify`]; nothing sends a private key or a password
//! anywhere. Results are returned; progress and questions go to standard error ([`speech`]).

pub mod apply;
mod ber;
pub mod cms;
pub mod disk;
pub mod export;
pub mod fetch;
pub mod inventory;
pub mod key;
pub mod password;
pub mod pfx;
pub mod request;
pub mod server;
pub mod speech;
pub mod status;
pub mod trouble;
pub mod verify;

pub use key::Key;
pub use password::Password;
pub use speech::Speech;
pub use trouble::{Exit, Trouble};
