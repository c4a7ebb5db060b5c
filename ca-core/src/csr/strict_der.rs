//! A strict reader of the Distinguished Encoding Rules (X.690 sections 8, 10 and 11).
//!
//! A request is signed over the bytes as they came, so bytes that two parsers could read differently must not get in:
//! [`check`] walks the whole tree once and refuses every encoding that DER does not allow. One rule is left out on
//! purpose: the order inside SET OF, which carries no meaning and which pkijs, the library of browsers' key tools,
//! does not keep in subjects.

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;
pub(crate) const CONTEXT_0: u8 = 0xa0;

const CONSTRUCTED: u8 = 0x20;
const CLASS: u8 = 0xc0;
/// Far deeper than any real request: an extensionRequest needs eight levels.
const MAX_DEPTH: u8 = 32;

const MAX_OID: usize = 128;

/// The rule that the encoding breaks.
pub(crate) type Fault = &'static str;

/// One element: identifier octet, contents octets, and all of it as encoded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    pub(crate) content: &'a [u8],
    pub(crate) raw: &'a [u8],
}

impl<'a> Element<'a> {
    /// Splits the first element off `input`. Only its header is checked.
    pub(crate) fn split(input: &'a [u8]) -> Result<(Self, &'a [u8]), Fault> {
        let (&tag, after_tag) = input.split_first().ok_or("an element is missing")?;
        if tag & 0x1f == 0x1f {
            return Err("no tag number above 30 is in use here");
        }
        let (length, body) = length(after_tag)?;
        let (content, rest) = body.split_at_checked(length).ok_or("a length exceeds the data")?;
        let raw = &input[..input.len() - rest.len()];
        Ok((Self { tag, content, raw }, rest))
    }

    /// The elements inside.
    pub(crate) fn elements(&self) -> Elements<'a> {
        Elements(self.content)
    }
}

/// X.690 sections 8.1.3 and 10.1: definite, in the minimum number of octets.
fn length(input: &[u8]) -> Result<(usize, &[u8]), Fault> {
    let (&first, rest) = input.split_first().ok_or("a length is missing")?;
    match first {
        0..=0x7f => Ok((usize::from(first), rest)),
        0x80 => Err("a length is definite"),
        0x81..=0x84 => {
            let (octets, rest) =
                rest.split_at_checked(usize::from(first & 0x7f)).ok_or("a length exceeds the data")?;
            let length = octets.iter().fold(0u32, |length, &octet| length << 8 | u32::from(octet));
            if octets[0] == 0 || length < 0x80 {
                return Err("a length has the minimum number of octets");
            }
            Ok((usize::try_from(length).map_err(|_| "a length exceeds the data")?, rest))
        }
        _ => Err("a length exceeds the data"),
    }
}

/// Elements one after another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Elements<'a>(&'a [u8]);

impl<'a> Elements<'a> {
    /// Those that `input` begins with.
    pub(crate) fn of(input: &'a [u8]) -> Self {
        Self(input)
    }

    /// The next element, if it has this tag.
    pub(crate) fn optional(&mut self, tag: u8) -> Option<Element<'a>> {
        match Element::split(self.0) {
            Ok((element, rest)) if element.tag == tag => {
                self.0 = rest;
                Some(element)
            }
            _ => None,
        }
    }

    /// Nothing is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    /// The next element; none at the end. To be used after [`check`], which leaves no broken header.
    fn next(&mut self) -> Option<Element<'a>> {
        let (element, rest) = Element::split(self.0).ok()?;
        self.0 = rest;
        Some(element)
    }
}

/// Splits the first element off `input` and walks all of it: every element inside is strict DER.
pub(crate) fn check(input: &[u8]) -> Result<(Element<'_>, &[u8]), Fault> {
    check_at(input, 0)
}

fn check_at(input: &[u8], depth: u8) -> Result<(Element<'_>, &[u8]), Fault> {
    let (element, rest) = Element::split(input)?;
    if element.tag & CONSTRUCTED != 0 {
        if element.tag & CLASS == 0 && !matches!(element.tag, SEQUENCE | SET) {
            return Err("a string is primitive");
        }
        if depth == MAX_DEPTH {
            return Err("elements nest at most 32 deep");
        }
        let mut inside = element.content;
        while !inside.is_empty() {
            inside = check_at(inside, depth + 1)?.1;
        }
    } else if element.tag & CLASS == 0 {
        check_primitive(element.tag, element.content)?;
    }
    Ok((element, rest))
}

/// The contents octets of the universal types; context-specific ones cannot be told apart without their schema.
fn check_primitive(tag: u8, content: &[u8]) -> Result<(), Fault> {
    let keeps = |rule: bool, fault: Fault| if rule { Ok(()) } else { Err(fault) };
    match tag {
        BOOLEAN => keeps(matches!(content, [0x00] | [0xff]), "a BOOLEAN is 00 or FF"),
        INTEGER | 0x0a => keeps(is_minimal_integer(content), "an INTEGER has the minimum number of octets"),
        BIT_STRING => {
            keeps(is_bit_string(content), "the unused bits of a BIT STRING are at most 7, and zero")
        }
        OCTET_STRING => Ok(()),
        0x05 => keeps(content.is_empty(), "NULL is empty"),
        OBJECT_IDENTIFIER | 0x0d => {
            keeps(is_oid(content), "the arcs of an OBJECT IDENTIFIER are complete, minimal and few")
        }
        0x0c => keeps(std::str::from_utf8(content).is_ok(), "a UTF8String is UTF-8"),
        0x12 => keeps(
            content.iter().all(|octet| octet.is_ascii_digit() || *octet == b' '),
            "a NumericString is digits and spaces",
        ),
        0x13 => {
            keeps(content.iter().all(|&octet| is_printable(octet)), "a PrintableString keeps to its alphabet")
        }
        0x16 | 0x1a => keeps(content.is_ascii(), "an IA5String or VisibleString is ASCII"),
        0x1c => {
            keeps(content.len().is_multiple_of(4), "a UniversalString has four octets for each character")
        }
        0x1e => keeps(content.len().is_multiple_of(2), "a BMPString has two octets for each character"),
        // REAL, the times and the older strings have rules nobody here depends on.
        0x07 | 0x09 | 0x14 | 0x15 | 0x17..=0x19 | 0x1b => Ok(()),
        _ => Err("a SEQUENCE or SET is constructed, and reserved tags are not used"),
    }
}

fn is_minimal_integer(content: &[u8]) -> bool {
    match content {
        [] => false,
        [0x00, second, ..] => second & 0x80 != 0,
        [0xff, second, ..] => second & 0x80 == 0,
        _ => true,
    }
}

fn is_bit_string(content: &[u8]) -> bool {
    match content {
        [] => false,
        [unused] => *unused == 0,
        [unused, .., last] => *unused <= 7 && last.trailing_zeros() >= u32::from(*unused),
    }
}

/// X.690 section 8.19.2: no arc starts with the octet 80, and the last one ends. No OID in use is nearly as long as
/// the limit; some software has much lower ones.
fn is_oid(content: &[u8]) -> bool {
    let mut starts_arc = true;
    for &octet in content {
        if starts_arc && octet == 0x80 {
            return false;
        }
        starts_arc = octet & 0x80 == 0;
    }
    starts_arc && (1..=MAX_OID).contains(&content.len())
}

fn is_printable(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&octet)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(encoding: &[u8]) -> bool {
        check(encoding).is_ok_and(|(_, rest)| rest.is_empty())
    }

    #[test]
    fn every_rule_of_the_distinguished_encoding_has_a_case() {
        let good: [&[u8]; 9] = [
            &[0x30, 0x00],
            &[0x01, 0x01, 0xff],
            &[0x02, 0x02, 0x00, 0x80],
            &[0x03, 0x02, 0x04, 0xf0],
            &[0x03, 0x01, 0x00],
            &[0x06, 0x03, 0x55, 0x04, 0x03],
            &[0x0c, 0x02, 0xd1, 0x81],
            &[0x1e, 0x02, 0x04, 0x41],
            &[0x31, 0x06, 0x02, 0x01, 0x02, 0x02, 0x01, 0x01],
        ];
        for encoding in good {
            assert!(accepts(encoding), "{encoding:02x?}");
        }
        let bad: [&[u8]; 27] = [
            &[],
            &[0x30],
            &[0x30, 0x01],
            &[0x30, 0x80, 0x00, 0x00],
            &[0x30, 0x81, 0x00],
            &[0x04, 0x81, 0x01, 0x00],
            &[0x04, 0x82, 0x00, 0x80],
            &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
            &[0x30, 0x85, 0x01, 0x00, 0x00, 0x00, 0x00],
            &[0x3f, 0x20, 0x00],
            &[0x24, 0x03, 0x04, 0x01, 0x00],
            &[0x10, 0x00],
            &[0x00, 0x00],
            &[0x01, 0x01, 0x01],
            &[0x02, 0x00],
            &[0x02, 0x02, 0x00, 0x7f],
            &[0x02, 0x02, 0xff, 0x80],
            &[0x03, 0x00],
            &[0x03, 0x01, 0x01],
            &[0x03, 0x02, 0x08, 0x00],
            &[0x03, 0x02, 0x04, 0xf8],
            &[0x05, 0x01, 0x00],
            &[0x06, 0x02, 0x80, 0x01],
            &[0x06, 0x02, 0x2b, 0x81],
            &[0x0c, 0x03, 0xed, 0xa0, 0x80],
            &[0x13, 0x01, b'@'],
            &[0x30, 0x03, 0x02, 0x02, 0x01],
        ];
        for encoding in bad {
            assert!(!accepts(encoding), "{encoding:02x?}");
        }
    }

    #[test]
    fn nesting_has_an_end() {
        let nested = |depth: usize| {
            let mut encoding = vec![0x30, 0x00];
            for _ in 0..depth {
                let mut header = vec![0x30];
                match encoding.len() {
                    short @ 0..=0x7f => header.push(short as u8),
                    long => header.extend([0x82, (long >> 8) as u8, long as u8]),
                }
                header.append(&mut encoding);
                encoding = header;
            }
            encoding
        };
        assert!(accepts(&nested(31)));
        assert!(!accepts(&nested(33)));
        assert!(!accepts(&[0x30, 0x80].repeat(30_000)));
    }
}
