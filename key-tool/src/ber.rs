//! From BER to DER (X.690), for what other programs stream: NSS, Java's older tools and deployed clients write key files and
//! signatures with indefinite lengths and strings in pieces.

/// Deeper nesting than any key file or signature has.
const MAX_DEPTH: u8 = 32;
const OCTET_STRING: u8 = 0x04;
const CONSTRUCTED: u8 = 0x20;
/// The length octet of content that ends with two zero octets (section 8.1.3.6).
const INDEFINITE: u8 = 0x80;

/// The same value with definite lengths and whole octet strings, if the outermost length is indefinite; otherwise, and if it
/// cannot be read, the octets as they are.
pub(crate) fn to_der(octets: &[u8]) -> Vec<u8> {
    if !matches!(octets, [_, INDEFINITE, ..]) {
        return octets.to_vec();
    }
    let mut written = Vec::with_capacity(octets.len());
    match element(octets, &mut written, MAX_DEPTH) {
        Some([]) => written,
        _ => octets.to_vec(),
    }
}

/// Rewrites the first element and returns what follows it. Tag numbers above 30 do not occur in these structures.
fn element<'a>(input: &'a [u8], out: &mut Vec<u8>, depth: u8) -> Option<&'a [u8]> {
    let depth = depth.checked_sub(1)?;
    let (&tag, rest) = input.split_first()?;
    if tag & 0x1f == 0x1f {
        return None;
    }
    let (length, rest) = length(rest)?;
    if tag & CONSTRUCTED == 0 {
        let (content, after) = rest.split_at_checked(length?)?;
        write(tag, content, out);
        return Some(after);
    }
    let (mut inside, mut after) = match length {
        Some(length) => rest.split_at_checked(length)?,
        None => (rest, &[][..]),
    };
    let mut content = Vec::new();
    loop {
        match (length, inside) {
            (Some(_), []) => break,
            (None, [0, 0, following @ ..]) => {
                after = following;
                break;
            }
            _ => inside = element(inside, &mut content, depth)?,
        }
    }
    if tag == OCTET_STRING | CONSTRUCTED {
        write(OCTET_STRING, &joined(&content)?, out);
    } else {
        write(tag, &content, out);
    }
    Some(after)
}

/// The length, none if it is indefinite, and what follows (section 8.1.3).
fn length(input: &[u8]) -> Option<(Option<usize>, &[u8])> {
    let (&first, rest) = input.split_first()?;
    match first {
        INDEFINITE => Some((None, rest)),
        0..=0x7f => Some((Some(usize::from(first)), rest)),
        _ => {
            let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let significant = &octets[octets.iter().take_while(|octet| **octet == 0).count()..];
            if significant.len() > 4 {
                return None;
            }
            let length = significant.iter().fold(0, |sum, octet| sum << 8 | usize::from(*octet));
            Some((Some(length), rest))
        }
    }
}

/// The content of the octet strings that a string was written in (section 8.7.3); their own pieces are joined already.
pub(crate) fn joined(pieces: &[u8]) -> Option<Vec<u8>> {
    let (mut whole, mut rest) = (Vec::with_capacity(pieces.len()), pieces);
    while let Some((&tag, after)) = rest.split_first() {
        let (length, after) = length(after)?;
        let (content, after) = after.split_at_checked(length?)?;
        if tag != OCTET_STRING {
            return None;
        }
        whole.extend_from_slice(content);
        rest = after;
    }
    Some(whole)
}

fn write(tag: u8, content: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    if content.len() < 0x80 {
        out.push(content.len() as u8);
    } else {
        let octets = content.len().to_be_bytes();
        let significant = &octets[octets.iter().take_while(|octet| **octet == 0).count()..];
        out.push(0x80 | significant.len() as u8);
        out.extend_from_slice(significant);
    }
    out.extend_from_slice(content);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indefinite_lengths_and_pieces_become_definite_and_whole() {
        let streamed = [0x30, 0x80, 0x24, 0x80, 4, 1, 7, 4, 2, 8, 9, 0, 0, 2, 0x81, 1, 5, 0, 0];
        assert_eq!(to_der(&streamed), [0x30, 8, 4, 3, 7, 8, 9, 2, 1, 5]);
        let nested = [0x30, 0x80, 0x24, 0x80, 0x24, 3, 4, 1, 7, 4, 1, 8, 0, 0, 0, 0];
        assert_eq!(to_der(&nested), [0x30, 4, 4, 2, 7, 8]);
    }

    #[test]
    fn what_is_der_or_nothing_at_all_stays_as_it_is() {
        let mut deep = [0x30, 0x80].repeat(100);
        deep.extend([0; 200]);
        for octets in [
            &[0x30, 3, 2, 1, 5][..],
            &[],
            &[0x30],
            &[0x30, 0x80],
            &[0x30, 0x80, 0, 0, 0],
            &[0x30, 0x80, 4, 0x80, 0, 0, 0, 0],
            &[0x30, 0x80, 2, 0x85, 1, 0, 0, 0, 0, 0],
            &[0x30, 0x80, 0x24, 0x80, 2, 1, 1, 0, 0, 0, 0],
            &[0x30, 0x80, 0x1f, 0x81, 1, 0, 0, 0],
            &deep,
        ] {
            assert_eq!(to_der(octets), octets, "{octets:x?}");
        }
    }
}
