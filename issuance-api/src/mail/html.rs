//! The HTML half of a mail, and the page of an unsubscription: plain words in the reader's own colours.

use std::fmt::Write;

use config::Language;

/// A document with one heading level less than anybody could get lost in. No colours are set, so that a dark page stays
/// dark; the width and the size of letters suit a phone.
pub(crate) fn document(language: Language, title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n</head>\n\
         <body style=\"font: 1rem/1.5 sans-serif; max-width: 36em; margin: 0 auto; padding: 1em\">\n{body}</body>\n\
         </html>\n",
        language.tag(),
        escaped(title),
    )
}

/// A paragraph of text.
pub(crate) fn paragraph(body: &mut String, text: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(body, "<p>{}</p>", escaped(text));
}

/// A paragraph that is a link.
pub(crate) fn link(body: &mut String, url: &str, text: &str) {
    let _ = writeln!(body, "<p><a href=\"{}\">{}</a></p>", escaped(url), escaped(text));
}

/// Text as it stands between tags and in attributes.
pub(crate) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_said_becomes_a_tag() {
        let mut body = String::new();
        paragraph(&mut body, "«A & B» <script>alert('x')</script>");
        link(&mut body, "https://muhr.example/?a=1&b=\"", "a > b");
        assert_eq!(
            body,
            "<p>«A &amp; B» &lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;</p>\n\
             <p><a href=\"https://muhr.example/?a=1&amp;b=&quot;\">a &gt; b</a></p>\n"
        );
        assert!(document(Language::Kaa, "<b>", "").contains("<title>&lt;b&gt;</title>"));
    }
}
