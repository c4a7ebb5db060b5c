//! The passphrase of the CA's key files in shares (Shamir, over GF(256)): any so many of those who keep one open the keys
//! together, and fewer learn nothing.

use std::fmt::Write;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use blahaj::{Share, Sharks};
use ca_core::digest::sha256;
use ca_core::serial::RandomUnavailable;
use zeroize::Zeroizing;

const TITLE: &str = "muhr-share-1";
/// Octets that tell one splitting from another.
const SET: usize = 4;
/// Octets by which a mistyped share is found.
const CHECK: usize = 4;

/// What is wrong with a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ShareError {
    /// Mistyped, or something else.
    #[error(
        "this is no share, or a letter of it is wrong: muhr-share-1, four groups after it, parted by hyphens"
    )]
    NotAShare,
    /// The keys were put under other shares since, or these are of other keys.
    #[error("this share is of another set than the ones before it")]
    OtherSet,
    /// Nobody counts twice.
    #[error("this share has been given already")]
    Twice,
}

/// What opens key files, or a part of it; wiped when it is dropped.
type Secret = Zeroizing<Vec<u8>>;

/// Shares that were brought together.
#[derive(Default)]
pub struct Shares {
    set: Option<([u8; SET], u8)>,
    shares: Vec<Share>,
}

impl Shares {
    /// A new passphrase, printable, and its shares, `needed` of which tell it; each a line of text for one person.
    ///
    /// # Errors
    /// No random numbers.
    ///
    /// # Panics
    /// Never: at least two are needed, and there are at most 255.
    pub fn split(needed: u8, count: u8) -> Result<(Secret, Vec<Zeroizing<String>>), RandomUnavailable> {
        let mut secret = Zeroizing::new([0_u8; 32]);
        let mut set = [0_u8; SET];
        let random = SystemRandom::new();
        random.fill(secret.as_mut_slice()).map_err(|_| RandomUnavailable)?;
        random.fill(&mut set).map_err(|_| RandomUnavailable)?;
        let dealt = Sharks(needed).dealer(secret.as_slice()).take(usize::from(count));
        let texts = dealt.map(|share| text(set, needed, &share)).collect();
        Ok((passphrase(secret.as_slice()), texts))
    }

    /// Adds one; space around it and the case of letters do not matter.
    ///
    /// # Errors
    /// [`ShareError`]; the others stay.
    pub fn add(&mut self, share: &str) -> Result<(), ShareError> {
        let (set, needed, share) = read(share).ok_or(ShareError::NotAShare)?;
        if self.set.is_some_and(|known| known != (set, needed)) {
            return Err(ShareError::OtherSet);
        }
        if self.shares.iter().any(|known| known.x == share.x) {
            return Err(ShareError::Twice);
        }
        self.set = Some((set, needed));
        self.shares.push(share);
        Ok(())
    }

    /// What is asked of the next person.
    pub fn question(&self) -> String {
        let brought = self.shares.len() + 1;
        match self.set {
            Some((_, needed)) => format!("Share {brought} of the {needed} that are needed: "),
            None => format!("Share {brought} of the passphrase of the CA keys: "),
        }
    }

    /// The passphrase, once there are enough.
    pub fn passphrase(&self) -> Option<Secret> {
        let (_, needed) = self.set?;
        if self.shares.len() < usize::from(needed) {
            return None;
        }
        let secret = Zeroizing::new(Sharks(needed).recover(&self.shares).ok()?);
        Some(passphrase(&secret))
    }
}

/// Hexadecimal, so that OpenSSL takes it on its command line, too.
fn passphrase(secret: &[u8]) -> Secret {
    Zeroizing::new(hex::encode(secret).into_bytes())
}

/// `muhr-share-1-SET-NEEDED-SHARE-CHECK`, each but the second in hexadecimal.
fn text(set: [u8; SET], needed: u8, share: &Share) -> Zeroizing<String> {
    let octets = Zeroizing::new(Vec::from(share));
    let hexadecimal = Zeroizing::new(hex::encode(octets.as_slice()));
    let mut text = Zeroizing::new(String::with_capacity(128));
    // Writing to a String cannot fail.
    let _ = write!(text, "{TITLE}-{}-{needed}-{}", hex::encode(set), hexadecimal.as_str());
    let check = hex::encode(&sha256(text.as_bytes())[..CHECK]);
    let _ = write!(text, "-{check}");
    text
}

fn read(text: &str) -> Option<([u8; SET], u8, Share)> {
    let text = Zeroizing::new(text.trim().to_ascii_lowercase());
    let (checked, check) = text.rsplit_once('-')?;
    if hex::encode(&sha256(checked.as_bytes())[..CHECK]) != check {
        return None;
    }
    let mut parts = checked.strip_prefix(TITLE)?.strip_prefix('-')?.split('-');
    let set = hex::decode(parts.next()?).ok()?.try_into().ok()?;
    let needed = parts.next()?.parse().ok().filter(|needed| *needed >= 2)?;
    let octets = Zeroizing::new(hex::decode(parts.next()?).ok()?);
    // The number of the share, and one octet for each of the passphrase's.
    let share = (octets.len() == 33 && parts.next().is_none()).then(|| Share::try_from(octets.as_slice()))?;
    Some((set, needed, share.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_three_of_five_tell_the_passphrase_and_two_do_not() {
        let (passphrase, texts) = Shares::split(3, 5).expect("random numbers");
        for chosen in [[0, 1, 2], [4, 2, 0], [3, 4, 1]] {
            let mut shares = Shares::default();
            for (given, place) in chosen.into_iter().enumerate() {
                assert_eq!(shares.passphrase(), None, "{given} are too few");
                shares.add(&format!("  {}\n", texts[place].to_uppercase())).expect("a share");
            }
            assert_eq!(shares.passphrase(), Some(passphrase.clone()));
        }
    }

    #[test]
    fn what_is_no_share_of_the_set_is_refused_and_the_others_stay() {
        let (passphrase, texts) = Shares::split(2, 3).expect("random numbers");
        let (_, others) = Shares::split(2, 3).expect("random numbers");
        let mut shares = Shares::default();
        shares.add(&texts[0]).expect("a share");
        for place in 0..texts[1].len() {
            let mut mistyped = texts[1].to_string().into_bytes();
            mistyped[place] = if mistyped[place] == b'0' { b'1' } else { b'0' };
            let mistyped = String::from_utf8(mistyped).expect("ASCII");
            assert_eq!(shares.add(&mistyped), Err(ShareError::NotAShare), "{mistyped}");
        }
        for nothing in ["", "-", "muhr-share-1", "muhr-share-1----", &texts[1][..40]] {
            assert_eq!(shares.add(nothing), Err(ShareError::NotAShare));
        }
        assert_eq!(shares.add(&texts[0]), Err(ShareError::Twice));
        assert_eq!(shares.add(&others[1]), Err(ShareError::OtherSet));
        shares.add(&texts[2]).expect("a share");
        assert_eq!(shares.passphrase(), Some(passphrase));
    }
}
