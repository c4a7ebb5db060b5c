-- The key that an application's evidence is sealed with, itself sealed with a master key; and what is sealed with it in a row: the
-- number of the identity document. Without the key nobody reads any of it again, so erasing is forgetting the key.
CREATE TABLE data_keys (
    application_id TEXT COLLATE "C" PRIMARY KEY NOT NULL REFERENCES applications (id),
    master_key TEXT COLLATE "C",
    wrapped_key BYTEA,
    sealed_document BYTEA,
    erased_at BIGINT,
    CHECK ((wrapped_key IS NULL) = (erased_at IS NOT NULL)),
    CHECK ((wrapped_key IS NULL) = (master_key IS NULL)),
    CHECK (wrapped_key IS NOT NULL OR sealed_document IS NULL)
);
CREATE INDEX data_keys_master ON data_keys (master_key, application_id);
