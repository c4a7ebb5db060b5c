-- Applications that take the place of a certificate before it ends. With the statement signed by its key the holder has shown who
-- they are, and no picture is asked for; without, it is an application like any other.
CREATE TABLE renewals (
    application_id TEXT PRIMARY KEY NOT NULL REFERENCES applications (id),
    certificate_id BIGINT NOT NULL REFERENCES certificates (id),
    statement_cms BLOB,
    signed_at BIGINT,
    CHECK ((statement_cms IS NULL) = (signed_at IS NULL))
);
CREATE INDEX renewals_certificate ON renewals (certificate_id);
