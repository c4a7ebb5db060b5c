-- Certificates of the officer CA. Which of them count is for the signer to know: it keeps a list of its own of those that were
-- revoked, and trusts the officer CA's certificate in a file of its own.
CREATE TABLE officer_certificates (
    serial TEXT COLLATE "C" PRIMARY KEY NOT NULL,
    login TEXT COLLATE "C" NOT NULL REFERENCES officers (login),
    role TEXT COLLATE "C" NOT NULL CHECK (role IN ('registrar', 'reviewer', 'revocation', 'auditor', 'admin')),
    spki_sha256 BYTEA NOT NULL CHECK (length(spki_sha256) = 32),
    certificate BYTEA NOT NULL,
    not_before BIGINT NOT NULL,
    not_after BIGINT NOT NULL,
    revoked_at BIGINT
);
CREATE INDEX officer_certificates_login ON officer_certificates (login, not_after);
CREATE INDEX officer_certificates_revoked ON officer_certificates (revoked_at) WHERE revoked_at IS NOT NULL;

-- What officers signed. About one thing, each statement names the one before it, and only one can follow another.
CREATE TABLE officer_statements (
    id BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    act TEXT COLLATE "C" NOT NULL,
    object TEXT COLLATE "C" NOT NULL,
    login TEXT COLLATE "C" NOT NULL REFERENCES officers (login),
    at BIGINT NOT NULL,
    statement BYTEA NOT NULL CHECK (length(statement) <= 8192),
    signature BYTEA NOT NULL CHECK (length(signature) <= 65536),
    sha256 BYTEA NOT NULL UNIQUE CHECK (length(sha256) = 32),
    previous BYTEA NOT NULL CHECK (length(previous) = 32),
    UNIQUE (object, previous)
);

-- What somebody has to look into: an application that was called approved and was not.
CREATE TABLE alarms (
    id BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    at BIGINT NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    object TEXT COLLATE "C" NOT NULL,
    details TEXT COLLATE "C" NOT NULL
);
CREATE INDEX alarms_kind ON alarms (kind, id);
