-- The place that sealing gave an entry: no gap, and never another one.
CREATE TABLE audit_leaves (
    sequence BIGINT NOT NULL PRIMARY KEY CHECK (sequence > 0),
    entry_id BIGINT NOT NULL UNIQUE,
    hash BLOB NOT NULL CHECK (length(hash) = 32)
);

-- Signed tree heads; the text is what was signed, the other columns are for finding it.
CREATE TABLE audit_heads (
    number BIGINT NOT NULL PRIMARY KEY CHECK (number > 0),
    first_sequence BIGINT NOT NULL,
    sealed_at BIGINT NOT NULL,
    text TEXT NOT NULL,
    signature BLOB NOT NULL
);
CREATE INDEX audit_heads_first_sequence ON audit_heads (first_sequence, number);
CREATE INDEX audit_heads_sealed_at ON audit_heads (sealed_at);

CREATE TRIGGER audit_entries_no_update BEFORE UPDATE ON audit_entries
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_entries_no_delete BEFORE DELETE ON audit_entries
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_leaves_no_update BEFORE UPDATE ON audit_leaves
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_leaves_no_delete BEFORE DELETE ON audit_leaves
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_heads_no_update BEFORE UPDATE ON audit_heads
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_heads_no_delete BEFORE DELETE ON audit_heads
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
