-- An officer's session is its client's alone, where the client has a name: the SHA-256 of that name. What the client calls itself is
-- for the officer who looks at their sessions.
ALTER TABLE sessions ADD COLUMN client_sha256 BYTEA;
ALTER TABLE sessions ADD COLUMN user_agent TEXT COLLATE "C";

-- Clients an officer has signed in with. Wrong sign-ins with one of them are counted by themselves: strangers cannot lock it out.
CREATE TABLE officer_clients (
    login TEXT COLLATE "C" NOT NULL REFERENCES officers (login),
    client_sha256 BYTEA NOT NULL,
    failed_attempts INTEGER NOT NULL,
    locked_until BIGINT,
    signed_in_at BIGINT NOT NULL,
    PRIMARY KEY (login, client_sha256)
);
