//! Each process under a PostgreSQL role of its own, with the rights of
//! `migrations/postgres/grants.sql`: enough for its work, and no more.

use crate::applicant::{Application, SubjectType};
use crate::officer::Officer;
use crate::postgres::{Server, free_port, psql};
use crate::relying_party::{CRL_KNOWS, OCSP_KNOWS, RelyingParty};
use crate::stack::{Role, Stack, eventually, fresh_folder};

const ROLES: &str = include_str!("../../../deploy/postgres/roles.sql");

/// What each role must not be able to do, whatever has become of its process.
const FORBIDDEN: &[(&str, &[&str])] = &[
    (
        "muhr_api",
        &[
            "INSERT INTO certificates DEFAULT VALUES",
            "INSERT INTO certificates (serial) VALUES (decode('01', 'hex'))",
            "UPDATE certificates SET certificate = certificate",
            "UPDATE certificates SET not_after = 0",
            "DELETE FROM certificates",
            "INSERT INTO intents DEFAULT VALUES",
            "UPDATE intents SET serial = serial",
            "UPDATE audit_entries SET actor = 'nobody'",
            "DELETE FROM audit_entries",
            "DELETE FROM application_events",
            "UPDATE ledger_postings SET amount_tiyin = 0",
            "DELETE FROM ledger_postings",
            "DELETE FROM payments",
            "DELETE FROM acts",
            "INSERT INTO crls DEFAULT VALUES",
            "UPDATE issuers SET certificate = certificate",
            "DELETE FROM status_changes",
            "DELETE FROM data_keys",
            "TRUNCATE audit_entries",
            "INSERT INTO audit_leaves DEFAULT VALUES",
            "INSERT INTO audit_heads DEFAULT VALUES",
            "UPDATE audit_leaves SET hash = hash",
            "DELETE FROM audit_heads",
            "DROP TABLE audit_entries",
            "CREATE TABLE mine (id BIGINT)",
            "INSERT INTO officer_certificates DEFAULT VALUES",
            "UPDATE officer_certificates SET certificate = certificate",
            "UPDATE officer_statements SET statement = statement",
            "DELETE FROM officer_statements",
            "INSERT INTO alarms DEFAULT VALUES",
            "DELETE FROM alarms",
        ],
    ),
    (
        "muhr_signer",
        &[
            "SELECT object_key FROM documents",
            "INSERT INTO officer_statements DEFAULT VALUES",
            "UPDATE officer_certificates SET revoked_at = NULL",
            "DELETE FROM alarms",
            "SELECT password_hash FROM officers",
            "SELECT token_sha256 FROM sessions",
            "SELECT answer FROM captchas",
            "SELECT code_hash FROM phone_verifications",
            "SELECT * FROM recovery_codes",
            "SELECT wrapped_key FROM data_keys",
            "SELECT * FROM payments",
            "UPDATE applications SET subject = subject",
            "UPDATE applications SET csr = csr",
            "UPDATE invoices SET state = 'paid'",
            "UPDATE certificates SET status = 'good'",
            "DELETE FROM certificates",
            "UPDATE audit_entries SET actor = 'nobody'",
            "DELETE FROM audit_entries",
            "UPDATE audit_leaves SET sequence = sequence",
            "DELETE FROM audit_leaves",
            "UPDATE audit_heads SET text = text",
            "DELETE FROM audit_heads",
            "TRUNCATE audit_heads",
            "INSERT INTO acts DEFAULT VALUES",
            "UPDATE officers SET role = 'admin'",
        ],
    ),
    (
        "muhr_ocsp",
        &[
            "SELECT pinfl FROM certificates",
            "SELECT stir FROM certificates",
            "SELECT subject FROM certificates",
            "SELECT common_name FROM certificates",
            "SELECT certificate FROM certificates",
            "SELECT application_id FROM certificates",
            "SELECT * FROM applications",
            "SELECT * FROM officers",
            "SELECT * FROM audit_entries",
            "DELETE FROM audit_entries",
            "SELECT * FROM audit_heads",
            "SELECT * FROM data_keys",
            "UPDATE certificates SET status = 'good'",
            "INSERT INTO status_changes DEFAULT VALUES",
            "SELECT * FROM jobs",
        ],
    ),
    (
        "muhr_crl",
        &[
            "SELECT pinfl FROM certificates",
            "SELECT subject FROM certificates",
            "SELECT certificate FROM certificates",
            "SELECT * FROM responder_certificates",
            "SELECT * FROM applications",
            "SELECT * FROM officers",
            "UPDATE certificates SET status = 'good'",
            "SELECT * FROM audit_entries",
            "DELETE FROM audit_entries",
            "UPDATE audit_heads SET text = text",
            "INSERT INTO crls DEFAULT VALUES",
            "UPDATE crls SET number = 0",
            "DELETE FROM jobs",
        ],
    ),
];

/// One line for each role and table: what PostgreSQL's catalogue says the role may.
const HELD: &str = r"
    WITH held AS (
        SELECT a.grantee::regrole::text AS role, c.relname, a.privilege_type AS what
        FROM pg_class c, aclexplode(c.relacl) a
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v')
        UNION ALL
        SELECT a.grantee::regrole::text, c.relname,
            a.privilege_type || ' (' || string_agg(t.attname, ', ' ORDER BY t.attnum) || ')'
        FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid, aclexplode(t.attacl) a
        WHERE c.relnamespace = 'public'::regnamespace
        GROUP BY 1, 2, a.privilege_type
    )
    SELECT role || ' ' || relname || ': ' || string_agg(what, ', ' ORDER BY what)
    FROM held WHERE role LIKE 'muhr\_%' GROUP BY role, relname ORDER BY role, relname";

/// Tries whatever the role does not hold on any table, and fails at the first that is not refused.
const TRY_THE_REST: &str = r"
    DO $do$
    DECLARE
        t record;
        p text;
        tried int := 0;
    BEGIN
        FOR t IN SELECT c.oid, c.relname, c.relkind, (
                SELECT a.attname FROM pg_attribute a
                WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attidentity = '' AND a.attgenerated = ''
                ORDER BY a.attnum DESC LIMIT 1
            ) AS attname
            FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v')
        LOOP
            FOREACH p IN ARRAY ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE'] LOOP
                CONTINUE WHEN t.relkind = 'v' AND p = 'TRUNCATE';
                CONTINUE WHEN CASE WHEN p IN ('DELETE', 'TRUNCATE') THEN has_table_privilege(t.oid, p)
                    ELSE has_any_column_privilege(t.oid, p) END;
                BEGIN
                    EXECUTE CASE p
                        WHEN 'SELECT' THEN format('SELECT 1 FROM %I', t.relname)
                        WHEN 'INSERT' THEN format('INSERT INTO %I DEFAULT VALUES', t.relname)
                        WHEN 'UPDATE' THEN format('UPDATE %1$I SET %2$I = %2$I', t.relname, t.attname)
                        WHEN 'DELETE' THEN format('DELETE FROM %I', t.relname)
                        ELSE format('TRUNCATE %I', t.relname) END;
                    RAISE EXCEPTION 'not refused: % %', p, t.relname;
                EXCEPTION WHEN insufficient_privilege THEN
                    tried := tried + 1;
                END;
            END LOOP;
        END LOOP;
        RAISE NOTICE 'refused: %', tried;
    END
    $do$";

#[test]
fn each_process_has_the_rights_it_needs_and_no_more() {
    // Roles are the whole server's, so it is one of its own.
    let server = Server::start();
    let owner = server.fresh_database();
    let [ocsp, crl] = [free_port(), free_port()].map(|port| format!("http://127.0.0.1:{port}"));
    let (ocsp, crl) = (format!("{ocsp}/ocsp"), format!("{crl}/repository"));
    let places = [("ISSUANCE__OCSP_URL", ocsp.as_str()), ("ISSUANCE__REPOSITORY_URL", crl.as_str())];
    let mut stack = Stack::prepare(fresh_folder(), Some(owner.clone()), &places);
    stack.run(Role::All);
    assert!(stack.terminate(Role::All).success());
    psql(&owner, ROLES).well();
    // A right that some earlier version gave, or a hand, is taken back: INSERT into certificates is tried below.
    psql(&owner, "GRANT ALL ON ALL TABLES IN SCHEMA public TO muhr_ocsp; GRANT INSERT (serial) ON certificates TO muhr_api").well();
    for _ in 0..2 {
        let said = stack.muhr(&["migrate"]).well();
        assert!(
            said.out.contains("rights given anew to muhr_api, muhr_crl, muhr_ocsp, muhr_signer"),
            "{}",
            said.out
        );
    }
    let as_role = |name: &str| owner.replace("muhr@", &format!("{name}@"));

    let roles = [Role::Api, Role::Signer, Role::Ocsp, Role::Crl];
    for (role, name) in roles.into_iter().zip(["muhr_api", "muhr_signer", "muhr_ocsp", "muhr_crl"]) {
        stack.set("DATABASE__URL", &as_role(name));
        stack.run(role);
    }
    let application = Application::issued(&stack, SubjectType::NaturalPerson);
    let relying_party = RelyingParty::receiving(&stack, &application.certificate());
    relying_party.openssl_verify().well();
    assert_eq!(relying_party.status(), "good");
    Officer::revocation(&stack).revoke(&application.serial(), "superseded").json_or_empty();
    eventually("OCSP says revoked", OCSP_KNOWS, || (relying_party.status() == "revoked").then_some(()));
    eventually("the CRL lists it", CRL_KNOWS, || relying_party.crl_reason());
    // Administrators' proposals and an officer's sign-in write as well.
    let admin = Officer::named(&stack, "admin");
    let act = serde_json::json!({"kind": "officer-disable", "login": "auditor", "reason": "a test"});
    admin.propose(&act).is(201);

    for (name, forbidden) in FORBIDDEN {
        for statement in *forbidden {
            let said = psql(&as_role(name), statement);
            let refused = !said.success
                && (said.all().contains("permission denied") || said.all().contains("must be owner"));
            assert!(refused, "{name} may: {statement}\n{}", said.all());
        }
    }
    // All that each role holds, to be looked at whenever it changes; whatever is not among it is tried, table by table.
    insta::assert_snapshot!("rights", psql(&owner, HELD).well().out);
    for name in ["muhr_api", "muhr_signer", "muhr_ocsp", "muhr_crl"] {
        let said = psql(&as_role(name), TRY_THE_REST).well();
        let refused = said.err.split_once("refused: ").map(|(_, count)| count.trim().parse::<u32>());
        assert!(matches!(refused, Some(Ok(30..))), "{name}: {}", said.all());
    }
    let log = stack.log();
    assert!(!log.contains("permission denied"), "a right is missing:\n{log}");
    for role in roles {
        assert!(stack.terminate(role).success(), "{role:?}");
    }
    stack.set("DATABASE__URL", &owner);
    stack.muhr(&["audit", "verify"]).well();
    stack.muhr(&["ledger", "verify"]).well();
}

#[test]
fn a_server_without_some_of_the_roles_gives_the_others_their_rights() {
    let server = Server::start();
    let owner = server.fresh_database();
    let stack = Stack::prepare(fresh_folder(), Some(owner.clone()), &[]);
    let said = stack.muhr(&["migrate"]).well();
    assert!(said.out.contains("no rights for muhr_api, muhr_crl, muhr_ocsp, muhr_signer:"), "{}", said.out);
    psql(&owner, "CREATE ROLE muhr_ocsp LOGIN").well();
    let said = stack.muhr(&["migrate"]).well();
    assert!(said.out.contains("rights given anew to muhr_ocsp\n"), "{}", said.out);
    assert!(said.out.contains("no rights for muhr_api, muhr_crl, muhr_signer:"), "{}", said.out);
    let responder = owner.replace("muhr@", "muhr_ocsp@");
    psql(&responder, "SELECT serial FROM certificates").well();
    psql(&responder, "SELECT * FROM applications").refused_with("permission denied");
}
