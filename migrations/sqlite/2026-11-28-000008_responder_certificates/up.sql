-- What responders read of certificates in full: their own. Of others they see number and status only.
CREATE VIEW responder_certificates AS
    SELECT id, issuer_id, spki_sha256, certificate, not_before, not_after, status, status_since, reason, invalidity_date
    FROM certificates WHERE profile = 'ocsp_signer';
