-- One row for each fact that a person is told, on each channel. Who is told is looked up in the application or the phone
-- verification when it is sent: no phone, no address and no text is here.
CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    fact TEXT NOT NULL,
    channel TEXT NOT NULL CHECK (channel IN ('sms', 'mail')),
    template TEXT NOT NULL,
    language TEXT NOT NULL,
    application_id TEXT REFERENCES applications (id),
    state TEXT NOT NULL CHECK (state IN ('queued', 'sent', 'delivered', 'undelivered', 'failed')),
    attempts INTEGER NOT NULL,
    -- How often an officer had it sent again: a gateway must not take that for the old message.
    resends INTEGER NOT NULL,
    gateway TEXT,
    gateway_message_id TEXT,
    -- Since when a gateway may have it without having said so.
    handed_at BIGINT,
    segments INTEGER,
    last_error TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    sent_at BIGINT,
    -- When the gateway is next asked what became of it.
    poll_at BIGINT,
    UNIQUE (fact, channel)
);
CREATE INDEX deliveries_state ON deliveries (state, id);
CREATE INDEX deliveries_poll ON deliveries (gateway, poll_at) WHERE poll_at IS NOT NULL;
CREATE INDEX deliveries_codes ON deliveries (created_at) WHERE application_id IS NULL;

-- Keyed hashes of mail addresses that want no reminders.
CREATE TABLE mail_opt_outs (
    address_hash BLOB PRIMARY KEY NOT NULL,
    at BIGINT NOT NULL
);

-- How far the reminders of so many days before the end have come, in the order of the certificates' ends.
CREATE TABLE reminder_sweeps (
    days INTEGER PRIMARY KEY NOT NULL,
    not_after BIGINT NOT NULL,
    certificate_id BIGINT NOT NULL
);
CREATE INDEX certificates_ending ON certificates (not_after, id) WHERE application_id IS NOT NULL;
