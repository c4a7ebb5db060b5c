-- The whole memory of Muhr. Times are unix milliseconds in UTC, money is tiyin, serials are DER INTEGER contents.

-- A CA certificate of ours; the private key is elsewhere.
CREATE TABLE issuers (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('root', 'issuing')),
    parent TEXT COLLATE "C" REFERENCES issuers (id),
    certificate BYTEA NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    not_before BIGINT NOT NULL,
    not_after BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);

-- Who may act in the back office.
CREATE TABLE officers (
    login TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    role TEXT COLLATE "C" NOT NULL CHECK (role IN ('registrar', 'reviewer', 'revocation', 'auditor', 'admin')),
    password_hash TEXT COLLATE "C" NOT NULL,
    totp_secret BYTEA,
    totp_last_step BIGINT,
    must_change_password BOOLEAN NOT NULL,
    failed_attempts INTEGER NOT NULL,
    locked_until BIGINT,
    disabled_at BIGINT,
    created_at BIGINT NOT NULL
);

-- Bearer tokens by their SHA-256; the principal is a phone or an officer's login.
CREATE TABLE sessions (
    token_sha256 BYTEA NOT NULL PRIMARY KEY,
    kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('applicant', 'officer')),
    principal TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    used_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_principal ON sessions (kind, principal);
CREATE INDEX sessions_expires_at ON sessions (expires_at);

-- Picture puzzles, each good for one answer.
CREATE TABLE captchas (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    answer TEXT COLLATE "C" NOT NULL,
    expires_at BIGINT NOT NULL,
    used BOOLEAN NOT NULL
);
CREATE INDEX captchas_expires_at ON captchas (expires_at);

-- One-time codes by their keyed hash.
CREATE TABLE phone_verifications (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    phone TEXT COLLATE "C" NOT NULL,
    address TEXT COLLATE "C" NOT NULL,
    code_hash BYTEA NOT NULL,
    language TEXT COLLATE "C" NOT NULL,
    attempts INTEGER NOT NULL,
    created_at BIGINT NOT NULL,
    resend_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    confirmed_at BIGINT
);
CREATE INDEX phone_verifications_phone ON phone_verifications (phone, created_at);
CREATE INDEX phone_verifications_address ON phone_verifications (address, created_at);

-- An application; its state says whose move it is.
CREATE TABLE applications (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('draft', 'under_review', 'approved', 'issued', 'rejected', 'withdrawn', 'expired')),
    subject_type TEXT COLLATE "C" NOT NULL CHECK (subject_type IN ('natural_person', 'sole_proprietor', 'legal_entity')),
    channel TEXT COLLATE "C" NOT NULL,
    phone TEXT COLLATE "C" NOT NULL,
    pinfl TEXT COLLATE "C" NOT NULL,
    stir TEXT COLLATE "C",
    common_name TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    region INTEGER NOT NULL,
    district INTEGER NOT NULL,
    email TEXT COLLATE "C",
    purpose TEXT COLLATE "C" NOT NULL,
    language TEXT COLLATE "C" NOT NULL,
    offer_accepted_at BIGINT,
    registered_by TEXT COLLATE "C" REFERENCES officers (login),
    csr BYTEA,
    spki_sha256 BYTEA,
    statement_cms BYTEA,
    refusal_reason TEXT COLLATE "C",
    refusal_note TEXT COLLATE "C",
    submitted_at BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX applications_phone ON applications (phone, id);
CREATE INDEX applications_state ON applications (state, id);
CREATE INDEX applications_pinfl ON applications (pinfl);
CREATE INDEX applications_stir ON applications (stir);
CREATE INDEX applications_spki ON applications (spki_sha256);

-- What happened to an application, in order.
CREATE TABLE application_events (
    id BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    application_id TEXT COLLATE "C" NOT NULL REFERENCES applications (id),
    at BIGINT NOT NULL,
    actor TEXT COLLATE "C" NOT NULL,
    command TEXT COLLATE "C" NOT NULL,
    from_state TEXT COLLATE "C" NOT NULL,
    to_state TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C",
    note TEXT COLLATE "C"
);
CREATE INDEX application_events_application ON application_events (application_id, id);

-- Where the sealed bytes of a document are.
CREATE TABLE documents (
    application_id TEXT COLLATE "C" NOT NULL REFERENCES applications (id),
    kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('photo', 'selfie', 'power-of-attorney')),
    media_type TEXT COLLATE "C" NOT NULL,
    size_bytes BIGINT NOT NULL,
    sha256 BYTEA NOT NULL,
    object_key TEXT COLLATE "C" NOT NULL,
    uploaded_at BIGINT NOT NULL,
    PRIMARY KEY (application_id, kind)
);
CREATE INDEX documents_sha256 ON documents (sha256);

-- What an application costs, with the rule it froze. At most one is open or paid.
CREATE TABLE invoices (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    number TEXT COLLATE "C" NOT NULL UNIQUE,
    application_id TEXT COLLATE "C" NOT NULL REFERENCES applications (id),
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('open', 'paid', 'expired', 'cancelled', 'refunded')),
    amount_tiyin BIGINT NOT NULL CHECK (amount_tiyin >= 0),
    bhm_tiyin BIGINT NOT NULL,
    bhm_since TEXT COLLATE "C" NOT NULL,
    rate_basis_points INTEGER NOT NULL,
    discount_basis_points INTEGER NOT NULL,
    rule TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    paid_at BIGINT
);
CREATE UNIQUE INDEX invoices_one_live ON invoices (application_id) WHERE state IN ('open', 'paid');
CREATE INDEX invoices_application ON invoices (application_id);

-- The last number given in each year's series.
CREATE TABLE invoice_numbers (
    year INTEGER NOT NULL PRIMARY KEY,
    last BIGINT NOT NULL
);

-- A provider's transaction that paid an invoice.
CREATE TABLE payments (
    id BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    invoice_id TEXT COLLATE "C" NOT NULL UNIQUE REFERENCES invoices (id),
    provider TEXT COLLATE "C" NOT NULL,
    provider_transaction TEXT COLLATE "C" NOT NULL,
    amount_tiyin BIGINT NOT NULL,
    at BIGINT NOT NULL,
    UNIQUE (provider, provider_transaction)
);

-- What the signer is about to sign: recorded and committed before the signature exists.
CREATE TABLE intents (
    issuer_id TEXT COLLATE "C" NOT NULL REFERENCES issuers (id),
    serial BYTEA NOT NULL,
    application_id TEXT COLLATE "C" REFERENCES applications (id),
    profile TEXT COLLATE "C" NOT NULL,
    tbs BYTEA NOT NULL,
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('recorded', 'abandoned')),
    recorded_at BIGINT NOT NULL,
    PRIMARY KEY (issuer_id, serial)
);
CREATE UNIQUE INDEX intents_one_standing ON intents (application_id) WHERE state = 'recorded';

-- Every certificate ever signed; one row is the truth about its status. Its issuer and its application stand in its
-- intent, which the database holds it to.
CREATE TABLE certificates (
    id BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    issuer_id TEXT COLLATE "C" NOT NULL,
    serial BYTEA NOT NULL,
    application_id TEXT COLLATE "C" UNIQUE,
    profile TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    common_name TEXT COLLATE "C" NOT NULL,
    common_name_folded TEXT COLLATE "C" NOT NULL,
    pinfl TEXT COLLATE "C",
    stir TEXT COLLATE "C",
    spki_sha256 BYTEA NOT NULL,
    certificate BYTEA NOT NULL,
    not_before BIGINT NOT NULL,
    not_after BIGINT NOT NULL,
    issued_at BIGINT NOT NULL,
    status TEXT COLLATE "C" NOT NULL CHECK (status IN ('good', 'suspended', 'revoked')),
    status_since BIGINT,
    reason SMALLINT,
    invalidity_date BIGINT,
    UNIQUE (issuer_id, serial),
    FOREIGN KEY (issuer_id, serial) REFERENCES intents (issuer_id, serial)
);
CREATE INDEX certificates_spki ON certificates (spki_sha256);
CREATE INDEX certificates_name ON certificates (common_name_folded, id);
CREATE INDEX certificates_pinfl ON certificates (pinfl);
CREATE INDEX certificates_stir ON certificates (stir) WHERE stir IS NOT NULL;
CREATE INDEX certificates_not_good ON certificates (issuer_id, serial) WHERE status <> 'good';

-- The change feed: what a responder must learn, in the order of commits.
CREATE TABLE status_changes (
    seq BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('issued', 'changed')),
    issuer_id TEXT COLLATE "C" NOT NULL,
    serial BYTEA NOT NULL,
    not_after BIGINT NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    status_since BIGINT,
    reason SMALLINT,
    invalidity_date BIGINT,
    at BIGINT NOT NULL
);
CREATE INDEX status_changes_changed ON status_changes (issuer_id, seq) WHERE kind = 'changed';

-- Signed CRLs; the publisher places the newest.
CREATE TABLE crls (
    issuer_id TEXT COLLATE "C" NOT NULL REFERENCES issuers (id),
    number BIGINT NOT NULL,
    this_update BIGINT NOT NULL,
    next_update BIGINT NOT NULL,
    entries BIGINT NOT NULL,
    last_change BIGINT NOT NULL,
    crl BYTEA NOT NULL,
    PRIMARY KEY (issuer_id, number)
);

-- Work that follows from a fact, queued in the fact's own transaction.
CREATE TABLE jobs (
    id BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    kind TEXT COLLATE "C" NOT NULL,
    dedup_key TEXT COLLATE "C" NOT NULL,
    payload TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('ready', 'dead')),
    run_at BIGINT NOT NULL,
    attempts INTEGER NOT NULL,
    max_attempts INTEGER NOT NULL,
    leased_until BIGINT NOT NULL,
    lease_owner TEXT COLLATE "C",
    last_error TEXT COLLATE "C",
    created_at BIGINT NOT NULL,
    UNIQUE (kind, dedup_key)
);
CREATE INDEX jobs_ready ON jobs (kind, run_at, id) WHERE state = 'ready';

-- What the sandbox's gateways were asked to deliver.
CREATE TABLE sandbox_messages (
    id BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    channel TEXT COLLATE "C" NOT NULL,
    recipient TEXT COLLATE "C" NOT NULL,
    template TEXT COLLATE "C" NOT NULL,
    language TEXT COLLATE "C" NOT NULL,
    text TEXT COLLATE "C" NOT NULL,
    code TEXT COLLATE "C",
    at BIGINT NOT NULL
);
CREATE INDEX sandbox_messages_recipient ON sandbox_messages (recipient, id);

-- The answer a POST with an Idempotency-Key got, to give it again.
CREATE TABLE idempotency_keys (
    owner TEXT COLLATE "C" NOT NULL,
    idempotency_key TEXT COLLATE "C" NOT NULL,
    request_sha256 BYTEA NOT NULL,
    status INTEGER,
    content_type TEXT COLLATE "C",
    body BYTEA,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (owner, idempotency_key)
);
CREATE INDEX idempotency_keys_created_at ON idempotency_keys (created_at);

-- Who did what to what, and when. Rows are only ever added.
CREATE TABLE audit_entries (
    id BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    at BIGINT NOT NULL,
    actor TEXT COLLATE "C" NOT NULL,
    action TEXT COLLATE "C" NOT NULL,
    object TEXT COLLATE "C" NOT NULL,
    details TEXT COLLATE "C" NOT NULL
);
CREATE INDEX audit_entries_object ON audit_entries (object, id);
