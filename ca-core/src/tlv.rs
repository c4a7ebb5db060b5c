//! DER by hand (X.690), for the two messages whose cost or size counts: OCSP answers and CRLs. Reading borrows from
//! the input, copies nothing and accepts DER only; writing appends to a buffer.

use crate::Timestamp;

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const NULL: u8 = 0x05;
pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(crate) const ENUMERATED: u8 = 0x0a;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const SEQUENCE: u8 = 0x30;

/// `[n]`, primitive: the tag of an IMPLICIT simple type.
pub(crate) const fn primitive(number: u8) -> u8 {
    0x80 | number
}

/// `[n]`, constructed: the tag of an EXPLICIT type, or of an IMPLICIT structured one.
pub(crate) const fn constructed(number: u8) -> u8 {
    0xa0 | number
}

/// The octets are not the DER that is expected here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotDer;

/// One tag-length-value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    pub(crate) content: &'a [u8],
    /// Tag, length and content, as they stood in the input.
    pub(crate) encoded: &'a [u8],
}

/// Reads one element after the other and never beyond the octets it was given.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(octets: &'a [u8]) -> Self {
        Self { rest: octets }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next element: a tag number below 31, a definite length in its shortest form (X.690 sections 8.1.2, 10.1).
    pub(crate) fn element(&mut self) -> Result<Element<'a>, NotDer> {
        let (tag, header, length) = match *self.rest {
            [tag, ..] if tag & 0x1f == 0x1f => return Err(NotDer),
            [tag, length @ 0..=0x7f, ..] => (tag, 2, usize::from(length)),
            [tag, 0x81, length @ 0x80..=0xff, ..] => (tag, 3, usize::from(length)),
            [tag, 0x82, high @ 1..=0xff, low, ..] => (tag, 4, usize::from(u16::from_be_bytes([high, low]))),
            [tag, 0x83, high @ 1..=0xff, middle, low, ..] => {
                (tag, 5, u32::from_be_bytes([0, high, middle, low]) as usize)
            }
            _ => return Err(NotDer),
        };
        let (encoded, rest) = self.rest.split_at_checked(header + length).ok_or(NotDer)?;
        self.rest = rest;
        Ok(Element { tag, content: &encoded[header..], encoded })
    }

    pub(crate) fn expect(&mut self, tag: u8) -> Result<Element<'a>, NotDer> {
        let element = self.element()?;
        if element.tag == tag { Ok(element) } else { Err(NotDer) }
    }

    pub(crate) fn optional(&mut self, tag: u8) -> Result<Option<Element<'a>>, NotDer> {
        if self.rest.first() == Some(&tag) { self.element().map(Some) } else { Ok(None) }
    }

    pub(crate) fn sequence(&mut self) -> Result<Reader<'a>, NotDer> {
        self.expect(SEQUENCE).map(|element| Self::new(element.content))
    }

    /// The content octets of an OBJECT IDENTIFIER whose arcs are complete and minimal (X.690 section 8.19.2).
    pub(crate) fn object_identifier(&mut self) -> Result<&'a [u8], NotDer> {
        let arcs = self.expect(OBJECT_IDENTIFIER)?.content;
        let mut starts_arc = true;
        for &octet in arcs {
            if starts_arc && octet == 0x80 {
                return Err(NotDer);
            }
            starts_arc = octet & 0x80 == 0;
        }
        if arcs.is_empty() || !starts_arc { Err(NotDer) } else { Ok(arcs) }
    }

    /// The content octets of an INTEGER in its shortest form (X.690 section 8.3.2), of either sign.
    pub(crate) fn integer(&mut self) -> Result<&'a [u8], NotDer> {
        match self.expect(INTEGER)?.content {
            [] | [0, 0..=0x7f, ..] | [0xff, 0x80..=0xff, ..] => Err(NotDer),
            content => Ok(content),
        }
    }

    /// Nothing may follow.
    pub(crate) fn finish(self) -> Result<(), NotDer> {
        if self.is_empty() { Ok(()) } else { Err(NotDer) }
    }
}

/// Appends a tag and a length.
pub(crate) fn header(out: &mut Vec<u8>, tag: u8, length: usize) {
    out.push(tag);
    if length < 0x80 {
        out.push(length as u8);
    } else {
        let octets = length.to_be_bytes();
        let first = octets.iter().position(|&octet| octet != 0).unwrap_or(octets.len() - 1);
        out.push(0x80 | (octets.len() - first) as u8);
        out.extend_from_slice(&octets[first..]);
    }
}

/// Appends an element with this content.
pub(crate) fn element(out: &mut Vec<u8>, tag: u8, content: &[u8]) {
    header(out, tag, content.len());
    out.extend_from_slice(content);
}

/// Appends an element whose content `write` appends. A content of 128 octets or more is moved once to make room for
/// its length: cheap for what has hundreds of octets, not meant for what has millions.
pub(crate) fn nested(out: &mut Vec<u8>, tag: u8, write: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(&[tag, 0]);
    let start = out.len();
    write(out);
    let length = out.len() - start;
    if length < 0x80 {
        out[start - 1] = length as u8;
    } else {
        let mut longer = Vec::with_capacity(6);
        header(&mut longer, tag, length);
        out.splice(start - 2..start, longer);
    }
}

/// Appends a non-negative INTEGER.
pub(crate) fn unsigned(out: &mut Vec<u8>, number: u64) {
    let octets = number.to_be_bytes();
    let first = octets.iter().position(|&octet| octet != 0).unwrap_or(octets.len() - 1);
    let sign = usize::from(octets[first] & 0x80 != 0);
    header(out, INTEGER, octets.len() - first + sign);
    out.extend_from_slice(&[0][..sign]);
    out.extend_from_slice(&octets[first..]);
}

/// Appends an Extension (RFC 5280 section 4.1) whose value `write` appends.
pub(crate) fn extension(
    out: &mut Vec<u8>,
    id: const_oid::ObjectIdentifier,
    critical: bool,
    write: impl FnOnce(&mut Vec<u8>),
) {
    nested(out, SEQUENCE, |out| {
        element(out, OBJECT_IDENTIFIER, id.as_bytes());
        if critical {
            element(out, BOOLEAN, &[0xff]);
        }
        nested(out, OCTET_STRING, write);
    });
}

/// Appends `YYYYMMDDHHMMSSZ` (RFC 5280 section 4.1.2.5.2).
pub(crate) fn generalized_time(out: &mut Vec<u8>, at: Timestamp) {
    let at = at.to_offset_date_time();
    header(out, GENERALIZED_TIME, 15);
    let year = at.year().unsigned_abs();
    two_digits(out, (year / 100) as u8);
    two_digits(out, (year % 100) as u8);
    month_to_second(out, at);
}

/// Appends a Time as RFC 5280 section 5.1.2.4 wants it: UTCTime to the end of 2049, GeneralizedTime from 2050 on.
pub(crate) fn time(out: &mut Vec<u8>, moment: Timestamp) {
    let at = moment.to_offset_date_time();
    if at.year() >= 2050 {
        return generalized_time(out, moment);
    }
    header(out, UTC_TIME, 13);
    two_digits(out, (at.year().unsigned_abs() % 100) as u8);
    month_to_second(out, at);
}

fn month_to_second(out: &mut Vec<u8>, at: time::OffsetDateTime) {
    for number in [u8::from(at.month()), at.day(), at.hour(), at.minute(), at.second()] {
        two_digits(out, number);
    }
    out.push(b'Z');
}

fn two_digits(out: &mut Vec<u8>, number: u8) {
    out.extend_from_slice(&[b'0' + number / 10, b'0' + number % 10]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(octets: &[u8]) -> Result<usize, NotDer> {
        Reader::new(octets).element().map(|element| element.content.len())
    }

    #[test]
    fn a_length_has_one_form_and_stays_within_the_input() {
        for length in [0, 1, 127, 128, 255, 256, 65_535, 65_536] {
            let mut written = Vec::new();
            element(&mut written, OCTET_STRING, &vec![7; length]);
            assert_eq!(read(&written), Ok(length));
            assert_eq!(read(&written[..written.len() - 1]), Err(NotDer), "cut {length}");
            let mut grown = Vec::new();
            nested(&mut grown, OCTET_STRING, |out| out.resize(out.len() + length, 7));
            assert_eq!(grown, written);
        }
        for refused in [
            &[][..],
            &[4],
            &[4, 0x80, 0, 0],
            &[4, 0x81, 1, 0],
            &[4, 0x82, 0, 1, 0],
            &[4, 0x84, 0xff, 0xff, 0xff, 0xff, 0],
            &[4, 0xff],
            &[0x1f, 0],
        ] {
            assert_eq!(read(refused), Err(NotDer), "{refused:x?}");
        }
    }

    #[test]
    fn integers_and_object_identifiers_have_one_form() {
        let integer = |octets: &[u8]| Reader::new(octets).integer().map(<[u8]>::to_vec);
        for number in [0, 1, 0x7f, 0x80, 0xff, 0x100, u64::MAX] {
            let mut written = Vec::new();
            unsigned(&mut written, number);
            let content = integer(&written).unwrap();
            let value = content.iter().fold(0u128, |value, &octet| value << 8 | u128::from(octet));
            assert_eq!(value, u128::from(number));
            assert!(content[0] < 0x80);
        }
        for refused in [&[2, 0][..], &[2, 2, 0, 1], &[2, 2, 0xff, 0x80]] {
            assert_eq!(integer(refused), Err(NotDer), "{refused:x?}");
        }
        for refused in [&[6, 0][..], &[6, 2, 0x80, 1], &[6, 2, 0x2b, 0x81]] {
            assert_eq!(Reader::new(refused).object_identifier(), Err(NotDer), "{refused:x?}");
        }
    }

    #[test]
    fn a_time_is_utc_time_until_2049_and_generalized_time_after() {
        let written = |text: &str| {
            let mut out = Vec::new();
            time(&mut out, text.parse().unwrap());
            (out[0], String::from_utf8(out[2..].to_vec()).unwrap())
        };
        assert_eq!(written("2049-12-31T23:59:59.9Z"), (UTC_TIME, "491231235959Z".to_owned()));
        assert_eq!(written("2050-01-01T00:00:00Z"), (GENERALIZED_TIME, "20500101000000Z".to_owned()));
    }
}
