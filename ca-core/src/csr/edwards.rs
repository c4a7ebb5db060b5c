//! Is an Ed25519 public key a point worth trusting? (RFC 8032 section 5.1)
//!
//! Signature verification alone does not tell: under a point of small order a signature made without any private key
//! verifies, so it would pass for a proof of possession.

use num_bigint::BigUint;

use super::Refusal;

/// The y coordinate is reduced, there is an x for it, and the point is not of order 1, 2, 4 or 8.
///
/// With d = -121665/121666, x² = (y² - 1) / (d y² + 1) is a square iff 121666 (y² - 1) (121666 - 121665 y²) is. The
/// points of order 1 and 2 have y = ±1 (x = 0), those of order 4 y = 0, and those of order 8 double to y = 0, which is
/// d y⁴ + 2 y² - 1 = 0.
pub(super) fn check(key: &[u8; 32]) -> Result<(), Refusal> {
    let mut little_endian = *key;
    little_endian[31] &= 0x7f;
    let y = BigUint::from_bytes_le(&little_endian);
    let p = (BigUint::from(1u8) << 255u32) - 19u8;
    if y >= p {
        return Err(Refusal::PointNotOnCurve);
    }
    let (zero, one) = (BigUint::ZERO, BigUint::from(1u8));
    let (numerator, denominator) = (BigUint::from(121_665u32), BigUint::from(121_666u32));
    let y2 = &y * &y % &p;
    let y4 = &y2 * &y2 % &p;
    let eighth = (&p * &numerator - &numerator * y4 + 2u8 * &denominator * &y2 + &p - &denominator) % &p;
    if y == zero || y2 == one || eighth == zero {
        return Err(Refusal::SmallOrderPoint);
    }
    let square = &denominator * (&y2 + &p - &one) * (&denominator + &p * &numerator - numerator * &y2) % &p;
    let euler = square.modpow(&((&p - &one) >> 1u32), &p);
    if euler == one { Ok(()) } else { Err(Refusal::PointNotOnCurve) }
}

#[cfg(test)]
mod tests {
    use openssl::pkey::PKey;

    use super::*;

    fn key(hex: &str) -> [u8; 32] {
        hex::decode(hex).unwrap().try_into().unwrap()
    }

    #[test]
    fn keys_made_by_openssl_are_points() {
        for _ in 0..40 {
            let made = PKey::generate_ed25519().unwrap().raw_public_key().unwrap();
            assert_eq!(check(&made.try_into().unwrap()), Ok(()));
        }
        // RFC 8032 section 7.1, test 1.
        assert_eq!(check(&key("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")), Ok(()));
    }

    #[test]
    fn the_published_points_of_small_order_are_refused() {
        // The list that libsodium's ge25519_has_small_order keeps, each with both signs.
        for y in [
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0100000000000000000000000000000000000000000000000000000000000000",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        ] {
            let mut point = key(y);
            assert_eq!(check(&point), Err(Refusal::SmallOrderPoint), "{y}");
            point[31] |= 0x80;
            assert_eq!(check(&point), Err(Refusal::SmallOrderPoint), "{y} with x negative");
        }
    }

    #[test]
    fn half_of_all_numbers_are_no_y_coordinate() {
        let refused = (2..=201u8).filter(|&y| {
            let mut point = [0; 32];
            point[0] = y;
            check(&point) == Err(Refusal::PointNotOnCurve)
        });
        assert!((70..=130).contains(&refused.count()));
        // p + 1: not reduced.
        assert_eq!(
            check(&key("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")),
            Err(Refusal::PointNotOnCurve)
        );
    }
}
