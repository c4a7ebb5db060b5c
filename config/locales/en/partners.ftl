# Why a request is not taken for a partner's, for the people who connect their site.
signature-absent = The request is not signed: Signature-Input and Signature are expected (RFC 9421).
signature-malformed = The fields of the signature cannot be read, or cover something that is not understood here.
signature-key-unknown = The key in keyid is not known.
signature-certificate = The connection has no certificate that was agreed with this partner.
signature-algorithm = The algorithm must be ed25519.
signature-not-covered = The signature must cover @method and @target-uri, and with a body content-type and content-digest.
signature-not-now = The time in created must be the present, give or take 300 seconds.
signature-digest = The body is not the one whose SHA-256 is in Content-Digest.
signature-wrong = The signature does not fit the request and the key. Sign the address that starts with the public URL.
signature-used = The signature was used before. Sign each request anew, with a nonce.

limit-daily-quota = The number of applications agreed for a day is used up. It starts anew at midnight in Tashkent.
limit-per-minute = There were too many requests within a minute.
