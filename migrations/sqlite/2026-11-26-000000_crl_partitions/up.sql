-- CRLs of partitions, and delta CRLs (RFC 5280 sections 5.2.4 and 5.2.5); their octets in pieces.

-- The part of the issuer's certificates that this one's distribution point names; empty for the undivided CRL.
ALTER TABLE certificates ADD COLUMN crl_partition TEXT NOT NULL DEFAULT '';
DROP INDEX certificates_not_good;
CREATE INDEX certificates_not_good ON certificates (issuer_id, crl_partition, serial) WHERE status <> 'good';
CREATE INDEX certificates_profile ON certificates (profile, id) WHERE status <> 'revoked';

ALTER TABLE status_changes ADD COLUMN crl_partition TEXT NOT NULL DEFAULT '';
DROP INDEX status_changes_changed;
CREATE INDEX status_changes_changed ON status_changes (issuer_id, crl_partition, seq) WHERE kind = 'changed';

-- The partitions in use, each with what is known of its newest CRL; number 0 before the first.
CREATE TABLE crl_partitions (
    issuer_id TEXT NOT NULL REFERENCES issuers (id),
    crl_partition TEXT NOT NULL,
    number BIGINT NOT NULL,
    this_update BIGINT NOT NULL,
    next_update BIGINT NOT NULL,
    last_change BIGINT NOT NULL,
    PRIMARY KEY (issuer_id, crl_partition)
);
INSERT INTO crl_partitions
    SELECT id, '', COALESCE(number, 0), COALESCE(this_update, 0), COALESCE(next_update, 0), COALESCE(last_change, 0)
    FROM issuers LEFT JOIN crls
    ON crls.issuer_id = id AND number = (SELECT max(number) FROM crls newest WHERE newest.issuer_id = id);

-- Signed CRLs: what deltas may be based on as long as it is relied upon. Full and delta share a number.
CREATE TABLE crls_in_pieces (
    issuer_id TEXT NOT NULL,
    crl_partition TEXT NOT NULL,
    number BIGINT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('full', 'delta')),
    base BIGINT,
    this_update BIGINT NOT NULL,
    next_update BIGINT NOT NULL,
    entries BIGINT NOT NULL,
    size_bytes BIGINT NOT NULL,
    last_change BIGINT NOT NULL,
    PRIMARY KEY (issuer_id, crl_partition, number, kind),
    FOREIGN KEY (issuer_id, crl_partition) REFERENCES crl_partitions (issuer_id, crl_partition)
);
INSERT INTO crls_in_pieces
    SELECT issuer_id, '', number, 'full', NULL, this_update, next_update, entries, length(crl), last_change FROM crls;

-- The octets of the newest, so that neither who writes nor who reads one holds it whole.
CREATE TABLE crl_chunks (
    issuer_id TEXT NOT NULL,
    crl_partition TEXT NOT NULL,
    number BIGINT NOT NULL,
    kind TEXT NOT NULL,
    position INTEGER NOT NULL,
    octets BLOB NOT NULL,
    PRIMARY KEY (issuer_id, crl_partition, number, kind, position)
);
INSERT INTO crl_chunks SELECT issuer_id, '', number, 'full', 0, crl FROM crls;
DROP TABLE crls;
ALTER TABLE crls_in_pieces RENAME TO crls;
