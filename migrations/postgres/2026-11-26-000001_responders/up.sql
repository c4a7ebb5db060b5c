-- Responders compare themselves with what is not good, and look for their own certificates.
CREATE INDEX certificates_status_since ON certificates (status_since, id) WHERE status <> 'good';
CREATE INDEX certificates_ocsp_signers ON certificates (spki_sha256) WHERE profile = 'ocsp_signer';
