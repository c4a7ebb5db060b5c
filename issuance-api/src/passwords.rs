//! Officers' passwords: argon2id, a few at a time, the same effort for a login nobody has.

use std::sync::Arc;

use actix_web::web;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::problem::{Kind, Problem};

/// Hashes and checks passwords. Each hash takes tens of mebibytes, so only a few run at once.
pub struct Passwords {
    argon2: Argon2<'static>,
    at_once: Arc<Semaphore>,
    /// Checked in place of the hash of a login nobody has, so that both take as long.
    nobody: String,
}

impl Passwords {
    /// From the settings.
    ///
    /// # Errors
    /// The parameters are none of argon2's.
    pub fn new(settings: &config::settings::Officers) -> Result<Self, String> {
        let params = Params::new(settings.password_memory_kibibytes, settings.password_iterations, 1, None)
            .map_err(|error| error.to_string())?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let nobody = hash(&argon2, "nobody has this password")?;
        Ok(Self {
            argon2,
            at_once: Arc::new(Semaphore::new(settings.password_parallel_hashes.max(1))),
            nobody,
        })
    }

    /// The PHC string to keep, for start-up and the command line.
    ///
    /// # Errors
    /// The system's random generator failed.
    pub fn hash_now(&self, password: &SecretString) -> Result<String, String> {
        hash(&self.argon2, password.expose_secret())
    }

    /// The PHC string to keep.
    ///
    /// # Errors
    /// 503 if the server is shutting down.
    pub async fn hash(&self, password: SecretString) -> Result<String, Problem> {
        let argon2 = self.argon2.clone();
        self.limited(move || hash(&argon2, password.expose_secret())).await?.map_err(Problem::internal)
    }

    /// Is it the password? `kept` is `None` for a login nobody has.
    ///
    /// # Errors
    /// 503 if the server is shutting down.
    pub async fn verify(&self, password: SecretString, kept: Option<String>) -> Result<bool, Problem> {
        let argon2 = self.argon2.clone();
        let known = kept.is_some();
        let kept = kept.unwrap_or_else(|| self.nobody.clone());
        let right = self
            .limited(move || {
                PasswordHash::new(&kept).is_ok_and(|hash| {
                    argon2.verify_password(password.expose_secret().as_bytes(), &hash).is_ok()
                })
            })
            .await?;
        Ok(right && known)
    }

    async fn limited<T: Send + 'static>(&self, f: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
        let unavailable = |_| Problem::new(Kind::ServiceUnavailable).after(2);
        let permit = Arc::clone(&self.at_once).acquire_owned().await.map_err(unavailable)?;
        let result = web::block(f).await?;
        drop(permit);
        Ok(result)
    }
}

/// A password for somebody who will replace it: 120 random bits.
///
/// # Errors
/// The system's random generator failed.
pub fn one_time() -> Result<SecretString, String> {
    let mut random = Zeroizing::new([0_u8; 15]);
    SystemRandom::new().fill(random.as_mut()).map_err(|_| "no random bytes".to_owned())?;
    Ok(URL_SAFE_NO_PAD.encode(random.as_ref()).into())
}

fn hash(argon2: &Argon2<'_>, password: &str) -> Result<String, String> {
    let mut salt = [0_u8; 16];
    SystemRandom::new().fill(&mut salt).map_err(|_| "no random bytes".to_owned())?;
    argon2
        .hash_password_with_salt(password.as_bytes(), &salt)
        .map(|hash| hash.to_string())
        .map_err(|error| error.to_string())
}
