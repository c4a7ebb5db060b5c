-- The ledger: what is owed, paid and returned, in double entry; and the providers' transactions behind it.

CREATE UNIQUE INDEX invoices_amount ON invoices (id, amount_tiyin);
CREATE INDEX invoices_open ON invoices (expires_at) WHERE state = 'open';

-- A provider's transaction over an invoice, from its announcement on. At most one that is not cancelled.
CREATE TABLE transactions (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    invoice_id TEXT NOT NULL,
    provider TEXT NOT NULL,
    provider_transaction TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('created', 'performed', 'cancelled')),
    amount_tiyin BIGINT NOT NULL,
    -- When the provider says it began, and when we heard of it.
    provider_time BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    -- Until when it keeps the invoice from others without being performed.
    held_until BIGINT NOT NULL,
    performed_at BIGINT,
    cancelled_at BIGINT,
    cancel_reason INTEGER,
    -- Cash and bank transfers: the officers who recorded and confirmed it.
    recorded_by TEXT REFERENCES officers (login),
    confirmed_by TEXT REFERENCES officers (login),
    -- What else the provider told, as a JSON object.
    details TEXT NOT NULL,
    UNIQUE (provider, provider_transaction),
    FOREIGN KEY (invoice_id, amount_tiyin) REFERENCES invoices (id, amount_tiyin),
    CHECK (state <> 'performed' OR performed_at IS NOT NULL),
    CHECK ((state = 'cancelled') = (cancelled_at IS NOT NULL)),
    CHECK (confirmed_by IS NULL OR recorded_by IS NOT NULL AND confirmed_by <> recorded_by)
);
INSERT INTO transactions (id, invoice_id, provider, provider_transaction, state, amount_tiyin, provider_time, created_at,
    held_until, performed_at, details)
    SELECT payments.id, invoice_id, provider, provider_transaction, 'performed', payments.amount_tiyin, at, paid_at, paid_at, paid_at,
        '{}'
    FROM payments JOIN invoices ON invoices.id = invoice_id;
DROP TABLE payments;
ALTER TABLE transactions RENAME TO payments;
CREATE UNIQUE INDEX payments_one_live ON payments (invoice_id) WHERE state <> 'cancelled';
CREATE INDEX payments_invoice ON payments (invoice_id);
CREATE INDEX payments_created ON payments (held_until) WHERE state = 'created';
CREATE INDEX payments_provider_time ON payments (provider, provider_time);

-- One row moves an amount from the account it credits to the account it debits, so that every sum over all accounts is
-- nought. Accounts: invoice (what is owed to us), fee (what we earn), refund (what we owe), provider:NAME (what a provider,
-- cash desk or bank holds for us). Whole amounts only: an invoice is charged, released, paid and refunded at most once each.
CREATE TABLE ledger_postings (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    invoice_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    debit TEXT NOT NULL,
    credit TEXT NOT NULL,
    amount_tiyin BIGINT NOT NULL CHECK (amount_tiyin > 0),
    at BIGINT NOT NULL,
    UNIQUE (invoice_id, kind),
    FOREIGN KEY (invoice_id, amount_tiyin) REFERENCES invoices (id, amount_tiyin),
    CHECK (
        kind = 'charge' AND debit = 'invoice' AND credit = 'fee'
        OR kind = 'release' AND debit = 'fee' AND credit = 'invoice'
        OR kind = 'payment' AND debit LIKE 'provider:_%' AND credit = 'invoice'
        OR kind = 'refund-due' AND debit = 'fee' AND credit = 'refund'
        OR kind = 'refund' AND debit = 'refund' AND credit LIKE 'provider:_%'
    )
);
-- What was released is not paid, what was paid is not released.
CREATE UNIQUE INDEX ledger_postings_one_end ON ledger_postings (invoice_id) WHERE kind IN ('release', 'payment');

INSERT INTO ledger_postings (invoice_id, kind, debit, credit, amount_tiyin, at)
    SELECT id, 'charge', 'invoice', 'fee', amount_tiyin, created_at FROM invoices WHERE amount_tiyin > 0 ORDER BY created_at, id;
INSERT INTO ledger_postings (invoice_id, kind, debit, credit, amount_tiyin, at)
    SELECT id, 'release', 'fee', 'invoice', amount_tiyin, expires_at FROM invoices
    WHERE amount_tiyin > 0 AND state IN ('expired', 'cancelled') ORDER BY created_at, id;
INSERT INTO ledger_postings (invoice_id, kind, debit, credit, amount_tiyin, at)
    SELECT invoice_id, 'payment', 'provider:' || provider, 'invoice', amount_tiyin, performed_at FROM payments
    WHERE amount_tiyin > 0 ORDER BY id;

CREATE TRIGGER ledger_postings_no_update BEFORE UPDATE ON ledger_postings
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER ledger_postings_no_delete BEFORE DELETE ON ledger_postings
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;

-- What is owed back for an application that was paid and will not be issued.
CREATE TABLE refunds (
    id TEXT NOT NULL PRIMARY KEY,
    invoice_id TEXT NOT NULL UNIQUE,
    payment_id BIGINT NOT NULL UNIQUE REFERENCES payments (id),
    application_id TEXT NOT NULL REFERENCES applications (id),
    state TEXT NOT NULL CHECK (state IN ('due', 'executing', 'done')),
    -- Why it is due: what became of the application, or cancelled for what the provider cancelled by itself.
    cause TEXT NOT NULL CHECK (cause IN ('rejected', 'withdrawn', 'expired', 'cancelled')),
    amount_tiyin BIGINT NOT NULL,
    way TEXT CHECK (way IN ('provider', 'cash', 'bank-transfer')),
    reason TEXT,
    receipt_number TEXT,
    executed_by TEXT REFERENCES officers (login),
    last_error TEXT,
    due_at BIGINT NOT NULL,
    executed_at BIGINT,
    done_at BIGINT,
    FOREIGN KEY (invoice_id, amount_tiyin) REFERENCES invoices (id, amount_tiyin),
    CHECK ((state = 'done') = (done_at IS NOT NULL)),
    CHECK (way IS NOT NULL OR state = 'due')
);
CREATE UNIQUE INDEX refunds_receipt ON refunds (way, receipt_number) WHERE receipt_number IS NOT NULL;
CREATE INDEX refunds_state ON refunds (state, due_at, id);

-- An invoice that a provider was asked to show the payer in its own application or SMS.
CREATE TABLE bills (
    id TEXT NOT NULL PRIMARY KEY,
    invoice_id TEXT NOT NULL REFERENCES invoices (id),
    provider TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'sent', 'paid', 'cancelled', 'failed')),
    provider_bill TEXT,
    last_error TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX bills_one_live ON bills (invoice_id, provider) WHERE state IN ('queued', 'sent');
CREATE INDEX bills_invoice ON bills (invoice_id, created_at);

-- What a comparison with a provider's statement found.
CREATE TABLE reconciliations (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    provider TEXT NOT NULL,
    -- The days in Tashkent, both included.
    first_day TEXT NOT NULL,
    last_day TEXT NOT NULL,
    ours BIGINT NOT NULL,
    theirs BIGINT NOT NULL,
    -- A JSON array.
    differences TEXT NOT NULL,
    at BIGINT NOT NULL
);
