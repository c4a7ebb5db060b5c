CREATE TABLE crls_whole (
    issuer_id TEXT NOT NULL REFERENCES issuers (id),
    number BIGINT NOT NULL,
    this_update BIGINT NOT NULL,
    next_update BIGINT NOT NULL,
    entries BIGINT NOT NULL,
    last_change BIGINT NOT NULL,
    crl BLOB NOT NULL,
    PRIMARY KEY (issuer_id, number)
);
-- Of what was divided only the undivided list is left: the version before knows no other.
INSERT INTO crls_whole
    SELECT crls.issuer_id, crls.number, this_update, next_update, entries, last_change, unhex(group_concat(hex(octets), '' ORDER BY position))
    FROM crls JOIN crl_chunks ON crl_chunks.issuer_id = crls.issuer_id AND crl_chunks.crl_partition = crls.crl_partition
        AND crl_chunks.number = crls.number AND crl_chunks.kind = crls.kind
    WHERE crls.crl_partition = '' AND crls.kind = 'full'
    GROUP BY crls.issuer_id, crls.number, this_update, next_update, entries, last_change;
DROP TABLE crl_chunks;
DROP TABLE crls;
DROP TABLE crl_partitions;
ALTER TABLE crls_whole RENAME TO crls;

DROP INDEX status_changes_changed;
ALTER TABLE status_changes DROP COLUMN crl_partition;
CREATE INDEX status_changes_changed ON status_changes (issuer_id, seq) WHERE kind = 'changed';

DROP INDEX certificates_profile;
DROP INDEX certificates_not_good;
ALTER TABLE certificates DROP COLUMN crl_partition;
CREATE INDEX certificates_not_good ON certificates (issuer_id, serial) WHERE status <> 'good';
