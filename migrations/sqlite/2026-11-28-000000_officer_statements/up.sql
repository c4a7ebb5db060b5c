-- Certificates of the officer CA. Which of them count is for the signer to know: it keeps a list of its own of those that were
-- revoked, and trusts the officer CA's certificate in a file of its own.
CREATE TABLE officer_certificates (
    serial TEXT PRIMARY KEY NOT NULL,
    login TEXT NOT NULL REFERENCES officers (login),
    role TEXT NOT NULL CHECK (role IN ('registrar', 'reviewer', 'revocation', 'auditor', 'admin')),
    spki_sha256 BLOB NOT NULL CHECK (length(spki_sha256) = 32),
    certificate BLOB NOT NULL,
    not_before BIGINT NOT NULL,
    not_after BIGINT NOT NULL,
    revoked_at BIGINT
);
CREATE INDEX officer_certificates_login ON officer_certificates (login, not_after);
CREATE INDEX officer_certificates_revoked ON officer_certificates (revoked_at) WHERE revoked_at IS NOT NULL;

-- What officers signed. About one thing, each statement names the one before it, and only one can follow another.
CREATE TABLE officer_statements (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    act TEXT NOT NULL,
    object TEXT NOT NULL,
    login TEXT NOT NULL REFERENCES officers (login),
    at BIGINT NOT NULL,
    statement BLOB NOT NULL CHECK (length(statement) <= 8192),
    signature BLOB NOT NULL CHECK (length(signature) <= 65536),
    sha256 BLOB NOT NULL UNIQUE CHECK (length(sha256) = 32),
    previous BLOB NOT NULL CHECK (length(previous) = 32),
    UNIQUE (object, previous)
);

-- What somebody has to look into: an application that was called approved and was not.
CREATE TABLE alarms (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    object TEXT NOT NULL,
    details TEXT NOT NULL
);
CREATE INDEX alarms_kind ON alarms (kind, id);
