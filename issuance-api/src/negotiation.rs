//! Which form of an answer a client prefers (RFC 9110 section 12.5.1).

/// The media type among `offered` that `accept` prefers: of equal qualities the one offered first. No header, or an empty
/// one, accepts anything. None if nothing offered is acceptable.
pub(crate) fn preferred<'a>(accept: &str, offered: &[&'a str]) -> Option<&'a str> {
    if accept.trim().is_empty() {
        return offered.first().copied();
    }
    let ranges: Vec<(String, u16)> = accept.split(',').filter_map(read_range).collect();
    let mut best: Option<(&'a str, u16)> = None;
    for media_type in offered {
        let quality = quality(&ranges, media_type);
        if quality > best.map_or(0, |(_, highest)| highest) {
            best = Some((media_type, quality));
        }
    }
    best.map(|(media_type, _)| media_type)
}

/// A range without its parameters, and its quality in thousandths.
fn read_range(range: &str) -> Option<(String, u16)> {
    let mut parts = range.split(';').map(str::trim);
    let name = parts.next()?.to_ascii_lowercase();
    let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    let quality = match weight {
        None => 1.0,
        Some(text) => text.trim().parse::<f32>().ok().filter(|quality| (0.0..=1.0).contains(quality))?,
    };
    Some((name, (quality * 1000.0).round() as u16))
}

/// The most exact range counts.
fn quality(ranges: &[(String, u16)], media_type: &str) -> u16 {
    let kind = media_type.split('/').next().unwrap_or_default();
    let of = |wanted: &str| ranges.iter().find(|(name, _)| name == wanted).map(|(_, quality)| *quality);
    of(media_type).or_else(|| of(&format!("{kind}/*"))).or_else(|| of("*/*")).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_of_the_highest_quality_is_chosen() {
        let offered = ["application/pkix-cert", "application/x-pem-file", "application/pkcs7-mime"];
        for (accept, expected) in [
            ("", Some(offered[0])),
            ("*/*", Some(offered[0])),
            ("application/*;q=0.1", Some(offered[0])),
            ("application/x-pem-file", Some(offered[1])),
            ("text/html, Application/PKCS7-mime;q=0.5, */*;q=0.1", Some(offered[2])),
            ("application/pkix-cert;q=0, */*", Some(offered[1])),
            ("application/pkcs7-mime; smime-type=certs-only", Some(offered[2])),
            ("text/html", None),
            ("*/*;q=0", None),
            ("application/x-pem-file;q=high", None),
        ] {
            assert_eq!(preferred(accept, &offered), expected, "{accept}");
        }
    }
}
