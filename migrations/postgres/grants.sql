-- Which role may do what: each process gets what it needs and no more, so that a broken web server cannot insert a certificate, and a
-- broken signer cannot read who signs in with what. `muhr migrate` takes back whatever each role had and grants this, in one transaction;
-- a role that the server does not have is left out. Only `GRANT ... TO role, role;` stands here.

-- Everybody asks whether the tables are those it was built for.
GRANT SELECT ON __diesel_schema_migrations, issuers, status_changes TO muhr_api, muhr_signer, muhr_ocsp, muhr_crl;
-- Status is told by number: whose a certificate is, neither responder nor publisher reads.
GRANT SELECT ON certificates TO muhr_signer;
GRANT SELECT (id, issuer_id, serial, not_before, not_after, status, status_since, reason, invalidity_date, profile, crl_partition) ON certificates TO muhr_ocsp, muhr_crl;
GRANT SELECT ON responder_certificates TO muhr_signer, muhr_ocsp;

-- The web: everything but what is signed, and of a certificate only its status.
GRANT SELECT ON ALL TABLES IN SCHEMA public TO muhr_api;
GRANT INSERT, UPDATE, DELETE ON
    applications, captchas, deliveries, documents, idempotency_keys, invoice_numbers, invoices, jobs, mail_opt_outs, officer_clients, officers,
    phone_verifications, recovery_codes, reminder_sweeps, sandbox_messages, seen_signatures, sessions
    TO muhr_api;
GRANT INSERT, UPDATE ON acts, bills, data_keys, payments, refunds, renewals TO muhr_api;
GRANT INSERT ON application_events, ledger_postings, officer_statements, receipts, reconciliations, status_changes TO muhr_api;
GRANT UPDATE (status, status_since, reason, invalidity_date) ON certificates TO muhr_api;
GRANT UPDATE (revoked_at) ON officer_certificates TO muhr_api;

-- The signer: what was approved, and what it signs.
GRANT SELECT ON
    application_events, applications, crl_chunks, crl_partitions, crls, intents, invoices, jobs, officer_certificates,
    officer_statements, renewals
    TO muhr_signer;
GRANT SELECT (application_id, kind, sha256) ON documents TO muhr_signer;
GRANT UPDATE (state, updated_at, refusal_reason, refusal_note) ON applications TO muhr_signer;
GRANT INSERT, UPDATE ON crl_partitions, intents TO muhr_signer;
GRANT INSERT ON alarms, application_events, certificates, officer_certificates, status_changes TO muhr_signer;
-- It seals the audit log. Nobody may change or delete in it.
GRANT SELECT ON audit_entries TO muhr_signer;
GRANT SELECT, INSERT ON audit_heads, audit_leaves TO muhr_signer;
GRANT INSERT, DELETE ON crl_chunks, crls TO muhr_signer;
GRANT INSERT, UPDATE, DELETE ON jobs TO muhr_signer;

-- The publisher asks for lists and reads them.
GRANT SELECT ON crl_chunks, crl_partitions, crls TO muhr_crl;
GRANT SELECT, INSERT, UPDATE ON jobs TO muhr_crl;
-- And places heads for outsiders.
GRANT SELECT ON audit_heads TO muhr_crl;

-- Every process tells of its start and stop.
-- Nobody chooses the number of an entry.
GRANT INSERT (at, actor, action, object, details) ON audit_entries TO muhr_api, muhr_signer, muhr_ocsp, muhr_crl;
