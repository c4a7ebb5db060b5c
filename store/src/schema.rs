//! The tables of `migrations/`, as diesel sees them; `tests/` keeps both databases equal to it.

#![allow(missing_docs, unreachable_pub)]

diesel::table! {
    /// What has run, as diesel remembers it.
    __diesel_schema_migrations (version) {
        version -> Text,
        run_on -> Timestamp,
    }
}

diesel::table! {
    issuers (id) {
        id -> Text,
        kind -> Text,
        parent -> Nullable<Text>,
        certificate -> Binary,
        subject -> Text,
        not_before -> BigInt,
        not_after -> BigInt,
        created_at -> BigInt,
        retired_at -> Nullable<BigInt>,
        key_destroyed_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    officers (login) {
        login -> Text,
        role -> Text,
        password_hash -> Text,
        totp_secret -> Nullable<Binary>,
        totp_last_step -> Nullable<BigInt>,
        must_change_password -> Bool,
        failed_attempts -> Integer,
        locked_until -> Nullable<BigInt>,
        disabled_at -> Nullable<BigInt>,
        created_at -> BigInt,
    }
}

diesel::table! {
    sessions (token_sha256) {
        token_sha256 -> Binary,
        kind -> Text,
        principal -> Text,
        created_at -> BigInt,
        used_at -> BigInt,
        expires_at -> BigInt,
        client_sha256 -> Nullable<Binary>,
        user_agent -> Nullable<Text>,
    }
}

diesel::table! {
    officer_clients (login, client_sha256) {
        login -> Text,
        client_sha256 -> Binary,
        failed_attempts -> Integer,
        locked_until -> Nullable<BigInt>,
        signed_in_at -> BigInt,
    }
}

diesel::table! {
    captchas (id) {
        id -> Text,
        answer -> Text,
        expires_at -> BigInt,
        used -> Bool,
    }
}

diesel::table! {
    phone_verifications (id) {
        id -> Text,
        phone -> Text,
        address -> Text,
        code_hash -> Binary,
        language -> Text,
        attempts -> Integer,
        created_at -> BigInt,
        resend_at -> BigInt,
        expires_at -> BigInt,
        confirmed_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    applications (id) {
        id -> Text,
        state -> Text,
        subject_type -> Text,
        channel -> Text,
        phone -> Text,
        pinfl -> Text,
        stir -> Nullable<Text>,
        common_name -> Text,
        subject -> Text,
        region -> Integer,
        district -> Integer,
        email -> Nullable<Text>,
        purpose -> Text,
        language -> Text,
        offer_accepted_at -> Nullable<BigInt>,
        registered_by -> Nullable<Text>,
        csr -> Nullable<Binary>,
        spki_sha256 -> Nullable<Binary>,
        statement_cms -> Nullable<Binary>,
        refusal_reason -> Nullable<Text>,
        refusal_note -> Nullable<Text>,
        submitted_at -> Nullable<BigInt>,
        created_at -> BigInt,
        updated_at -> BigInt,
        registered_partner -> Nullable<Text>,
        benefit -> Nullable<Text>,
    }
}

diesel::table! {
    application_events (id) {
        id -> BigInt,
        application_id -> Text,
        at -> BigInt,
        actor -> Text,
        command -> Text,
        from_state -> Text,
        to_state -> Text,
        reason -> Nullable<Text>,
        note -> Nullable<Text>,
    }
}

diesel::table! {
    documents (application_id, kind) {
        application_id -> Text,
        kind -> Text,
        media_type -> Text,
        size_bytes -> BigInt,
        sha256 -> Binary,
        object_key -> Text,
        uploaded_at -> BigInt,
    }
}

diesel::table! {
    invoices (id) {
        id -> Text,
        number -> Text,
        application_id -> Text,
        state -> Text,
        amount_tiyin -> BigInt,
        bhm_tiyin -> BigInt,
        bhm_since -> Text,
        rate_basis_points -> Integer,
        discount_basis_points -> Integer,
        rule -> Text,
        created_at -> BigInt,
        expires_at -> BigInt,
        paid_at -> Nullable<BigInt>,
        benefit -> Nullable<Text>,
    }
}

diesel::table! {
    invoice_numbers (year) {
        year -> Integer,
        last -> BigInt,
    }
}

diesel::table! {
    payments (id) {
        id -> BigInt,
        invoice_id -> Text,
        provider -> Text,
        provider_transaction -> Text,
        state -> Text,
        amount_tiyin -> BigInt,
        provider_time -> BigInt,
        created_at -> BigInt,
        held_until -> BigInt,
        performed_at -> Nullable<BigInt>,
        cancelled_at -> Nullable<BigInt>,
        cancel_reason -> Nullable<Integer>,
        recorded_by -> Nullable<Text>,
        confirmed_by -> Nullable<Text>,
        details -> Text,
    }
}

diesel::table! {
    ledger_postings (id) {
        id -> BigInt,
        invoice_id -> Text,
        kind -> Text,
        debit -> Text,
        credit -> Text,
        amount_tiyin -> BigInt,
        at -> BigInt,
    }
}

diesel::table! {
    refunds (id) {
        id -> Text,
        invoice_id -> Text,
        payment_id -> BigInt,
        application_id -> Text,
        state -> Text,
        cause -> Text,
        amount_tiyin -> BigInt,
        way -> Nullable<Text>,
        reason -> Nullable<Text>,
        receipt_number -> Nullable<Text>,
        executed_by -> Nullable<Text>,
        last_error -> Nullable<Text>,
        due_at -> BigInt,
        executed_at -> Nullable<BigInt>,
        done_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    bills (id) {
        id -> Text,
        invoice_id -> Text,
        provider -> Text,
        state -> Text,
        provider_bill -> Nullable<Text>,
        last_error -> Nullable<Text>,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    reconciliations (id) {
        id -> BigInt,
        provider -> Text,
        first_day -> Text,
        last_day -> Text,
        ours -> BigInt,
        theirs -> BigInt,
        differences -> Text,
        at -> BigInt,
    }
}

diesel::table! {
    intents (issuer_id, serial) {
        issuer_id -> Text,
        serial -> Binary,
        application_id -> Nullable<Text>,
        profile -> Text,
        tbs -> Binary,
        state -> Text,
        recorded_at -> BigInt,
    }
}

diesel::table! {
    certificates (id) {
        id -> BigInt,
        issuer_id -> Text,
        serial -> Binary,
        application_id -> Nullable<Text>,
        profile -> Text,
        subject -> Text,
        common_name -> Text,
        common_name_folded -> Text,
        pinfl -> Nullable<Text>,
        stir -> Nullable<Text>,
        spki_sha256 -> Binary,
        certificate -> Binary,
        not_before -> BigInt,
        not_after -> BigInt,
        issued_at -> BigInt,
        status -> Text,
        status_since -> Nullable<BigInt>,
        reason -> Nullable<SmallInt>,
        invalidity_date -> Nullable<BigInt>,
        crl_partition -> Text,
    }
}

diesel::table! {
    responder_certificates (id) {
        id -> BigInt,
        issuer_id -> Text,
        spki_sha256 -> Binary,
        certificate -> Binary,
        not_before -> BigInt,
        not_after -> BigInt,
        status -> Text,
        status_since -> Nullable<BigInt>,
        reason -> Nullable<SmallInt>,
        invalidity_date -> Nullable<BigInt>,
    }
}

diesel::table! {
    status_changes (seq) {
        seq -> BigInt,
        kind -> Text,
        issuer_id -> Text,
        serial -> Binary,
        not_after -> BigInt,
        status -> Text,
        status_since -> Nullable<BigInt>,
        reason -> Nullable<SmallInt>,
        invalidity_date -> Nullable<BigInt>,
        at -> BigInt,
        crl_partition -> Text,
    }
}

diesel::table! {
    crl_partitions (issuer_id, crl_partition) {
        issuer_id -> Text,
        crl_partition -> Text,
        number -> BigInt,
        this_update -> BigInt,
        next_update -> BigInt,
        last_change -> BigInt,
    }
}

diesel::table! {
    crls (issuer_id, crl_partition, number, kind) {
        issuer_id -> Text,
        crl_partition -> Text,
        number -> BigInt,
        kind -> Text,
        base -> Nullable<BigInt>,
        this_update -> BigInt,
        next_update -> BigInt,
        entries -> BigInt,
        size_bytes -> BigInt,
        last_change -> BigInt,
    }
}

diesel::table! {
    crl_chunks (issuer_id, crl_partition, number, kind, position) {
        issuer_id -> Text,
        crl_partition -> Text,
        number -> BigInt,
        kind -> Text,
        position -> Integer,
        octets -> Binary,
    }
}

diesel::table! {
    jobs (id) {
        id -> BigInt,
        kind -> Text,
        dedup_key -> Text,
        payload -> Text,
        state -> Text,
        run_at -> BigInt,
        attempts -> Integer,
        max_attempts -> Integer,
        leased_until -> BigInt,
        lease_owner -> Nullable<Text>,
        last_error -> Nullable<Text>,
        created_at -> BigInt,
        waiting_since -> Nullable<BigInt>,
    }
}

diesel::table! {
    sandbox_messages (id) {
        id -> BigInt,
        channel -> Text,
        recipient -> Text,
        template -> Text,
        language -> Text,
        text -> Text,
        code -> Nullable<Text>,
        at -> BigInt,
    }
}

diesel::table! {
    idempotency_keys (owner, idempotency_key) {
        owner -> Text,
        idempotency_key -> Text,
        request_sha256 -> Binary,
        status -> Nullable<Integer>,
        content_type -> Nullable<Text>,
        body -> Nullable<Binary>,
        created_at -> BigInt,
    }
}

diesel::table! {
    audit_entries (id) {
        id -> BigInt,
        at -> BigInt,
        actor -> Text,
        action -> Text,
        object -> Text,
        details -> Text,
    }
}

diesel::table! {
    audit_leaves (sequence) {
        sequence -> BigInt,
        entry_id -> BigInt,
        hash -> Binary,
    }
}

diesel::table! {
    audit_heads (number) {
        number -> BigInt,
        first_sequence -> BigInt,
        sealed_at -> BigInt,
        text -> Text,
        signature -> Binary,
    }
}

diesel::table! {
    deliveries (id) {
        id -> BigInt,
        fact -> Text,
        channel -> Text,
        template -> Text,
        language -> Text,
        application_id -> Nullable<Text>,
        state -> Text,
        attempts -> Integer,
        resends -> Integer,
        gateway -> Nullable<Text>,
        gateway_message_id -> Nullable<Text>,
        handed_at -> Nullable<BigInt>,
        segments -> Nullable<Integer>,
        last_error -> Nullable<Text>,
        created_at -> BigInt,
        updated_at -> BigInt,
        sent_at -> Nullable<BigInt>,
        poll_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    mail_opt_outs (address_hash) {
        address_hash -> Binary,
        at -> BigInt,
    }
}

diesel::table! {
    reminder_sweeps (days) {
        days -> Integer,
        not_after -> BigInt,
        certificate_id -> BigInt,
    }
}

diesel::table! {
    seen_signatures (base_sha256) {
        base_sha256 -> Binary,
        expires_at -> BigInt,
    }
}

diesel::table! {
    receipts (application_id) {
        application_id -> Text,
        cms -> Binary,
        received_at -> BigInt,
    }
}

diesel::table! {
    recovery_codes (login, code_sha256) {
        login -> Text,
        code_sha256 -> Binary,
    }
}

diesel::table! {
    acts (id) {
        id -> Text,
        kind -> Text,
        object -> Text,
        content -> Text,
        reason -> Text,
        state -> Text,
        proposed_by -> Text,
        proposed_at -> BigInt,
        decided_by -> Nullable<Text>,
        decided_at -> Nullable<BigInt>,
        decision_reason -> Nullable<Text>,
        sealed_half -> Nullable<Binary>,
    }
}

diesel::table! {
    renewals (application_id) {
        application_id -> Text,
        certificate_id -> BigInt,
        statement_cms -> Nullable<Binary>,
        signed_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    officer_certificates (serial) {
        serial -> Text,
        login -> Text,
        role -> Text,
        spki_sha256 -> Binary,
        certificate -> Binary,
        not_before -> BigInt,
        not_after -> BigInt,
        revoked_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    officer_statements (id) {
        id -> BigInt,
        act -> Text,
        object -> Text,
        login -> Text,
        at -> BigInt,
        statement -> Binary,
        signature -> Binary,
        sha256 -> Binary,
        previous -> Binary,
    }
}

diesel::table! {
    alarms (id) {
        id -> BigInt,
        at -> BigInt,
        kind -> Text,
        object -> Text,
        details -> Text,
    }
}

diesel::table! {
    data_keys (application_id) {
        application_id -> Text,
        master_key -> Nullable<Text>,
        wrapped_key -> Nullable<Binary>,
        sealed_document -> Nullable<Binary>,
        erased_at -> Nullable<BigInt>,
    }
}

diesel::joinable!(certificates -> applications (application_id));
diesel::joinable!(data_keys -> applications (application_id));
diesel::joinable!(payments -> invoices (invoice_id));
diesel::joinable!(refunds -> invoices (invoice_id));
diesel::joinable!(refunds -> payments (payment_id));
diesel::joinable!(bills -> invoices (invoice_id));
diesel::joinable!(ledger_postings -> invoices (invoice_id));
diesel::allow_tables_to_appear_in_same_query!(
    applications,
    certificates,
    data_keys,
    documents,
    refunds,
    renewals
);
diesel::allow_tables_to_appear_in_same_query!(applications, intents);
diesel::allow_tables_to_appear_in_same_query!(audit_entries, audit_leaves);
diesel::allow_tables_to_appear_in_same_query!(invoices, payments, refunds, bills, ledger_postings);
