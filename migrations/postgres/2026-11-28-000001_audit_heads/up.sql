-- The place that sealing gave an entry: no gap, and never another one.
CREATE TABLE audit_leaves (
    sequence BIGINT NOT NULL PRIMARY KEY CHECK (sequence > 0),
    entry_id BIGINT NOT NULL UNIQUE,
    hash BYTEA NOT NULL CHECK (length(hash) = 32)
);

-- Signed tree heads; the text is what was signed, the other columns are for finding it.
CREATE TABLE audit_heads (
    number BIGINT NOT NULL PRIMARY KEY CHECK (number > 0),
    first_sequence BIGINT NOT NULL,
    sealed_at BIGINT NOT NULL,
    text TEXT COLLATE "C" NOT NULL,
    signature BYTEA NOT NULL
);
CREATE INDEX audit_heads_first_sequence ON audit_heads (first_sequence, number);
CREATE INDEX audit_heads_sealed_at ON audit_heads (sealed_at);

CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN RAISE EXCEPTION ''the audit log is append-only''; END';
CREATE TRIGGER audit_entries_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entries
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();
CREATE TRIGGER audit_leaves_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_leaves
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();
CREATE TRIGGER audit_heads_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_heads
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();
