-- The whole memory of Muhr. Times are unix milliseconds in UTC, money is tiyin, serials are DER INTEGER contents.

-- A CA certificate of ours; the private key is elsewhere.
CREATE TABLE issuers (
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('root', 'issuing')),
    parent TEXT REFERENCES issuers (id),
    certificate BLOB NOT NULL,
    subject TEXT NOT NULL,
    not_before BIGINT NOT NULL,
    not_after BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);

-- Who may act in the back office.
CREATE TABLE officers (
    login TEXT NOT NULL PRIMARY KEY,
    role TEXT NOT NULL CHECK (role IN ('registrar', 'reviewer', 'revocation', 'auditor', 'admin')),
    password_hash TEXT NOT NULL,
    totp_secret BLOB,
    totp_last_step BIGINT,
    must_change_password BOOLEAN NOT NULL,
    failed_attempts INTEGER NOT NULL,
    locked_until BIGINT,
    disabled_at BIGINT,
    created_at BIGINT NOT NULL
);

-- Bearer tokens by their SHA-256; the principal is a phone or an officer's login.
CREATE TABLE sessions (
    token_sha256 BLOB NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('applicant', 'officer')),
    principal TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    used_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_principal ON sessions (kind, principal);
CREATE INDEX sessions_expires_at ON sessions (expires_at);

-- Picture puzzles, each good for one answer.
CREATE TABLE captchas (
    id TEXT NOT NULL PRIMARY KEY,
    answer TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    used BOOLEAN NOT NULL
);
CREATE INDEX captchas_expires_at ON captchas (expires_at);

-- One-time codes by their keyed hash.
CREATE TABLE phone_verifications (
    id TEXT NOT NULL PRIMARY KEY,
    phone TEXT NOT NULL,
    address TEXT NOT NULL,
    code_hash BLOB NOT NULL,
    language TEXT NOT NULL,
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
    id TEXT NOT NULL PRIMARY KEY,
    state TEXT NOT NULL CHECK (state IN ('draft', 'under_review', 'approved', 'issued', 'rejected', 'withdrawn', 'expired')),
    subject_type TEXT NOT NULL CHECK (subject_type IN ('natural_person', 'sole_proprietor', 'legal_entity')),
    channel TEXT NOT NULL,
    phone TEXT NOT NULL,
    pinfl TEXT NOT NULL,
    stir TEXT,
    common_name TEXT NOT NULL,
    subject TEXT NOT NULL,
    region INTEGER NOT NULL,
    district INTEGER NOT NULL,
    email TEXT,
    purpose TEXT NOT NULL,
    language TEXT NOT NULL,
    offer_accepted_at BIGINT,
    registered_by TEXT REFERENCES officers (login),
    csr BLOB,
    spki_sha256 BLOB,
    statement_cms BLOB,
    refusal_reason TEXT,
    refusal_note TEXT,
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
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    application_id TEXT NOT NULL REFERENCES applications (id),
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    command TEXT NOT NULL,
    from_state TEXT NOT NULL,
    to_state TEXT NOT NULL,
    reason TEXT,
    note TEXT
);
CREATE INDEX application_events_application ON application_events (application_id, id);

-- Where the sealed bytes of a document are.
CREATE TABLE documents (
    application_id TEXT NOT NULL REFERENCES applications (id),
    kind TEXT NOT NULL CHECK (kind IN ('photo', 'selfie', 'power-of-attorney')),
    media_type TEXT NOT NULL,
    size_bytes BIGINT NOT NULL,
    sha256 BLOB NOT NULL,
    object_key TEXT NOT NULL,
    uploaded_at BIGINT NOT NULL,
    PRIMARY KEY (application_id, kind)
);
CREATE INDEX documents_sha256 ON documents (sha256);

-- What an application costs, with the rule it froze. At most one is open or paid.
CREATE TABLE invoices (
    id TEXT NOT NULL PRIMARY KEY,
    number TEXT NOT NULL UNIQUE,
    application_id TEXT NOT NULL REFERENCES applications (id),
    state TEXT NOT NULL CHECK (state IN ('open', 'paid', 'expired', 'cancelled', 'refunded')),
    amount_tiyin BIGINT NOT NULL CHECK (amount_tiyin >= 0),
    bhm_tiyin BIGINT NOT NULL,
    bhm_since TEXT NOT NULL,
    rate_basis_points INTEGER NOT NULL,
    discount_basis_points INTEGER NOT NULL,
    rule TEXT NOT NULL,
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
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    invoice_id TEXT NOT NULL UNIQUE REFERENCES invoices (id),
    provider TEXT NOT NULL,
    provider_transaction TEXT NOT NULL,
    amount_tiyin BIGINT NOT NULL,
    at BIGINT NOT NULL,
    UNIQUE (provider, provider_transaction)
);

-- What the signer is about to sign: recorded and committed before the signature exists.
CREATE TABLE intents (
    issuer_id TEXT NOT NULL REFERENCES issuers (id),
    serial BLOB NOT NULL,
    application_id TEXT REFERENCES applications (id),
    profile TEXT NOT NULL,
    tbs BLOB NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('recorded', 'abandoned')),
    recorded_at BIGINT NOT NULL,
    PRIMARY KEY (issuer_id, serial)
);
CREATE UNIQUE INDEX intents_one_standing ON intents (application_id) WHERE state = 'recorded';

-- Every certificate ever signed; one row is the truth about its status. Its issuer and its application stand in its
-- intent, which the database holds it to.
CREATE TABLE certificates (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    issuer_id TEXT NOT NULL,
    serial BLOB NOT NULL,
    application_id TEXT UNIQUE,
    profile TEXT NOT NULL,
    subject TEXT NOT NULL,
    common_name TEXT NOT NULL,
    common_name_folded TEXT NOT NULL,
    pinfl TEXT,
    stir TEXT,
    spki_sha256 BLOB NOT NULL,
    certificate BLOB NOT NULL,
    not_before BIGINT NOT NULL,
    not_after BIGINT NOT NULL,
    issued_at BIGINT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('good', 'suspended', 'revoked')),
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
    seq INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('issued', 'changed')),
    issuer_id TEXT NOT NULL,
    serial BLOB NOT NULL,
    not_after BIGINT NOT NULL,
    status TEXT NOT NULL,
    status_since BIGINT,
    reason SMALLINT,
    invalidity_date BIGINT,
    at BIGINT NOT NULL
);
CREATE INDEX status_changes_changed ON status_changes (issuer_id, seq) WHERE kind = 'changed';

-- Signed CRLs; the publisher places the newest.
CREATE TABLE crls (
    issuer_id TEXT NOT NULL REFERENCES issuers (id),
    number BIGINT NOT NULL,
    this_update BIGINT NOT NULL,
    next_update BIGINT NOT NULL,
    entries BIGINT NOT NULL,
    last_change BIGINT NOT NULL,
    crl BLOB NOT NULL,
    PRIMARY KEY (issuer_id, number)
);

-- Work that follows from a fact, queued in the fact's own transaction.
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    kind TEXT NOT NULL,
    dedup_key TEXT NOT NULL,
    payload TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('ready', 'dead')),
    run_at BIGINT NOT NULL,
    attempts INTEGER NOT NULL,
    max_attempts INTEGER NOT NULL,
    leased_until BIGINT NOT NULL,
    lease_owner TEXT,
    last_error TEXT,
    created_at BIGINT NOT NULL,
    UNIQUE (kind, dedup_key)
);
CREATE INDEX jobs_ready ON jobs (kind, run_at, id) WHERE state = 'ready';

-- What the sandbox's gateways were asked to deliver.
CREATE TABLE sandbox_messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    channel TEXT NOT NULL,
    recipient TEXT NOT NULL,
    template TEXT NOT NULL,
    language TEXT NOT NULL,
    text TEXT NOT NULL,
    code TEXT,
    at BIGINT NOT NULL
);
CREATE INDEX sandbox_messages_recipient ON sandbox_messages (recipient, id);

-- The answer a POST with an Idempotency-Key got, to give it again.
CREATE TABLE idempotency_keys (
    owner TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    request_sha256 BLOB NOT NULL,
    status INTEGER,
    content_type TEXT,
    body BLOB,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (owner, idempotency_key)
);
CREATE INDEX idempotency_keys_created_at ON idempotency_keys (created_at);

-- Who did what to what, and when. Rows are only ever added.
CREATE TABLE audit_entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    object TEXT NOT NULL,
    details TEXT NOT NULL
);
CREATE INDEX audit_entries_object ON audit_entries (object, id);
