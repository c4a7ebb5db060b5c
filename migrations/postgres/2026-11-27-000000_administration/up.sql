-- What an officer signs in with when the authenticator is lost: SHA-256 of codes, each deleted when it is used.
CREATE TABLE recovery_codes (
    login TEXT COLLATE "C" NOT NULL REFERENCES officers (login),
    code_sha256 BYTEA NOT NULL,
    PRIMARY KEY (login, code_sha256)
);

-- What one administrator proposes and another decides on: officers and their roles, prices, partners.
CREATE TABLE acts (
    id TEXT COLLATE "C" PRIMARY KEY NOT NULL,
    kind TEXT COLLATE "C" NOT NULL CHECK (kind IN (
        'officer-add', 'officer-role', 'officer-reset', 'officer-disable', 'officer-reopen', 'fee', 'fee-withdrawal',
        'partner-suspension', 'partner-restoration'
    )),
    object TEXT COLLATE "C" NOT NULL,
    content TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('proposed', 'in_force', 'refused', 'withdrawn', 'revoked')),
    proposed_by TEXT COLLATE "C" NOT NULL,
    proposed_at BIGINT NOT NULL,
    decided_by TEXT COLLATE "C",
    decided_at BIGINT,
    decision_reason TEXT COLLATE "C",
    -- Half of the one-time password that a decision made, sealed, until its proposer has read it: neither of the two knows it alone.
    sealed_half BYTEA,
    CHECK ((decided_by IS NULL) = (decided_at IS NULL)),
    -- Nobody decides on their own proposal.
    CHECK (decided_by IS NULL OR decided_by <> proposed_by),
    -- One is enough to close a door, and to take back what one has proposed.
    CHECK (state IN ('proposed', 'withdrawn') OR decided_by IS NOT NULL
        OR kind IN ('officer-disable', 'partner-suspension'))
);
CREATE INDEX acts_state ON acts (state, proposed_at, id);
-- One proposal at a time about one thing.
CREATE UNIQUE INDEX acts_open ON acts (kind, object) WHERE state = 'proposed';
CREATE INDEX acts_in_force ON acts (kind, object) WHERE state = 'in_force';
