-- What holders have signed with the certified key after they saved it: the proof that key and certificate belong together.
CREATE TABLE receipts (
    application_id TEXT COLLATE "C" PRIMARY KEY NOT NULL REFERENCES applications (id),
    cms BYTEA NOT NULL,
    received_at BIGINT NOT NULL
);
