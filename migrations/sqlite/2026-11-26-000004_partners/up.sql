-- Partners: who may apply for others, what they may claim, and what they have signed.

-- The partner, by its name in the settings, that identified the applicant.
ALTER TABLE applications ADD COLUMN registered_partner TEXT;
-- The benefit that a registrar or a partner claims for the applicant.
ALTER TABLE applications ADD COLUMN benefit TEXT;
CREATE INDEX applications_partner ON applications (registered_partner, id) WHERE registered_partner IS NOT NULL;
CREATE INDEX applications_partner_day ON applications (registered_partner, created_at) WHERE registered_partner IS NOT NULL;

-- The benefit that made the price.
ALTER TABLE invoices ADD COLUMN benefit TEXT;

-- What partners have signed, as long as it would still be accepted: nothing is accepted twice.
CREATE TABLE seen_signatures (
    base_sha256 BLOB PRIMARY KEY NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX seen_signatures_expires ON seen_signatures (expires_at);
