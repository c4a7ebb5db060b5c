//! RSA moduli that look right and are not (CA/B Baseline Requirements sections 6.1.1.3 and 6.1.6).

use std::sync::LazyLock;

use num_bigint::BigUint;
use num_integer::Integer;
use openssl::bn::{BigNum, BigNumContext};
use openssl::error::ErrorStack;

use super::Refusal;

/// Every prime below this is tried as a factor.
const TRIAL_LIMIT: u32 = 1 << 16;
/// CA/B Baseline Requirements section 6.1.1.3 (5): 100 rounds of Fermat's method.
const FERMAT_ROUNDS: u32 = 100;
/// The primes that the published fingerprint of ROCA looks at end here.
const ROCA_LIMIT: u32 = 167;

/// Refuses a modulus (odd, 2048 bits or more) whose factors somebody else can find.
pub(super) fn check(modulus: &BigUint) -> Result<(), Refusal> {
    if has_small_factor(modulus) {
        return Err(Refusal::SmallFactor);
    }
    if has_roca_fingerprint(modulus) {
        return Err(Refusal::Roca);
    }
    let root = modulus.sqrt();
    if &root * &root == *modulus {
        return Err(Refusal::SquareModulus);
    }
    if has_close_factors(modulus, root) {
        return Err(Refusal::ClosePrimes);
    }
    match is_probable_prime(modulus) {
        Ok(false) => Ok(()),
        Ok(true) => Err(Refusal::PrimeModulus),
        Err(_) => Err(Refusal::MalformedKey("the arithmetic of the primality test failed")),
    }
}

/// The product of all primes below [`TRIAL_LIMIT`]: one greatest common divisor tries them all.
static PRIMORIAL: LazyLock<BigUint> = LazyLock::new(|| {
    let mut factors: Vec<BigUint> = primes_below(TRIAL_LIMIT).map(BigUint::from).collect();
    while factors.len() > 1 {
        factors = factors.chunks(2).map(|pair| pair.iter().product()).collect();
    }
    factors.pop().unwrap_or_default()
});

fn has_small_factor(modulus: &BigUint) -> bool {
    let remainder = &*PRIMORIAL % modulus;
    modulus.gcd(&remainder) != BigUint::from(1u8)
}

/// The sieve of Eratosthenes.
fn primes_below(limit: u32) -> impl Iterator<Item = u32> {
    let mut composite = vec![false; limit as usize];
    (2..limit).filter(move |&number| {
        if composite[number as usize] {
            return false;
        }
        for multiple in (number as usize * number as usize..limit as usize).step_by(number as usize) {
            composite[multiple] = true;
        }
        true
    })
}

/// The primes of CVE-2017-15361 are k M + (65537^a mod M), with M a product of the first primes. So the modulus is a
/// power of 65537 modulo every one of them; for a modulus made otherwise the chance of that is about 2^-28 (Nemec et
/// al., "The Return of Coppersmith's Attack", section 3).
fn has_roca_fingerprint(modulus: &BigUint) -> bool {
    primes_below(ROCA_LIMIT + 1).skip(1).all(|prime| {
        let residue = (modulus % prime).iter_u32_digits().next().unwrap_or(0);
        let powers = std::iter::successors(Some(1), |power| Some(power * 65537 % prime));
        powers.take(prime as usize).any(|power| power == residue)
    })
}

/// Fermat's method: some a near the root of n makes a² - n a square b², so that n = (a - b) (a + b).
///
/// Of the hundred candidates nearly all are told from squares by their residues alone.
pub(super) fn has_close_factors(modulus: &BigUint, root: BigUint) -> bool {
    const SIEVE: u64 = 64 * 63 * 65 * 11 * 17 * 19 * 23 * 29 * 31;
    let low = |number: &BigUint| (number % SIEVE).iter_u64_digits().next().unwrap_or(0);
    let modulus_low = u128::from(low(modulus));
    let first = root + 1u8;
    let first_low = u128::from(low(&first));
    (0..FERMAT_ROUNDS).any(|round| {
        let a = first_low + u128::from(round);
        let sieve = u128::from(SIEVE);
        let difference = (a * a % sieve + sieve - modulus_low) % sieve;
        may_be_square(difference as u64) && {
            let a = &first + round;
            let difference = &a * &a - modulus;
            let b = difference.sqrt();
            &b * &b == difference
        }
    })
}

/// Squares leave few residues modulo each of these: of all numbers three in ten thousand pass.
fn may_be_square(residue: u64) -> bool {
    [64, 63, 65, 11, 17, 19, 23, 29, 31].iter().all(|&modulus: &u64| {
        let residue = residue % modulus;
        (0..=modulus / 2).any(|root| root * root % modulus == residue)
    })
}

/// Fermat's test to base 2, which no product of two independent primes of this size has been seen to pass.
fn is_probable_prime(number: &BigUint) -> Result<bool, ErrorStack> {
    let number = BigNum::from_slice(&number.to_bytes_be())?;
    let (one, two) = (BigNum::from_u32(1)?, BigNum::from_u32(2)?);
    let mut exponent = BigNum::new()?;
    exponent.checked_sub(&number, &one)?;
    let mut power = BigNum::new()?;
    let mut context = BigNumContext::new()?;
    power.mod_exp(&two, &exponent, &number, &mut context)?;
    Ok(power == one)
}
