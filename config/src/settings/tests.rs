use super::*;

fn with(overrides: &[(&str, &str)]) -> Sources {
    overrides.iter().fold(Sources::default(), |sources, (key, value)| sources.with(key, *value))
}

fn problems(sources: &Sources, roles: &[Role]) -> Vec<String> {
    match Settings::load(sources, roles) {
        Ok(_) => Vec::new(),
        Err(SettingsError::Problems(problems)) => problems.into_iter().map(|problem| problem.key).collect(),
        Err(other) => panic!("{other}"),
    }
}

fn file(text: &str) -> (tempfile::NamedTempFile, Sources) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let sources = Sources { file: Some(file.path().to_owned()), ..Sources::default() };
    (file, sources)
}

#[test]
fn the_defaults_alone_are_enough_for_the_sandbox() {
    let settings = Settings::load(&Sources::default(), &Role::ALL).unwrap();
    assert!(settings.is_sandbox());
    assert_eq!(settings.public_url.as_str(), "http://127.0.0.1:8080");
    assert_eq!(settings.issuance.ocsp_url.as_str(), "http://127.0.0.1:8080/ocsp");
    assert_eq!(settings.sms.code_lifetime, std::time::Duration::from_secs(300));
    assert_eq!(settings.invoices.validity, std::time::Duration::from_secs(3 * 86_400));
    assert!(
        matches!(&settings.database.url, DatabaseUrl::Sqlite(path) if path == Path::new("var/muhr.sqlite"))
    );
}

#[test]
fn the_environment_wins_over_the_file_and_the_command_line_over_both() {
    let (_file, mut sources) = file("[http]\nlisten = \"127.0.0.1:1\"\nworkers = 3\n[sms]\ncode_tries = 3\n");
    sources.environment = HashMap::from([
        ("MUHR__HTTP__WORKERS".to_owned(), "4".to_owned()),
        ("MUHR__HTTP__LISTEN".to_owned(), "127.0.0.1:2".to_owned()),
        ("MUHR__HTTP__TRUSTED_PROXIES".to_owned(), "10.0.0.1, ::1".to_owned()),
        ("MUHR__OFFICERS__TOTP_REQUIRED".to_owned(), "true".to_owned()),
        ("HOME".to_owned(), "/".to_owned()),
    ]);
    let settings = Settings::load(&sources.with("http.listen", "[::]:3"), &Role::ALL).unwrap();
    assert_eq!((settings.http.workers, settings.sms.code_tries), (4, 3));
    assert_eq!(settings.http.listen.port(), 3);
    assert_eq!(settings.public_url.as_str(), "http://127.0.0.1:3");
    assert_eq!(settings.http.trusted_proxies.len(), 2);
    assert!(settings.officers.totp_required);
}

#[test]
fn every_problem_is_named_by_its_key_at_once() {
    let (_file, mut sources) = file(
        "colour = 1\npublic_url = \"ftp://x\"\ndefault_language = \"de\"\n\
         [http]\nlisten = \"nowhere\"\nworkers = \"many\"\nlimit = 5\ntrusted_proxies = [\"10.0.0.1\", \"x\"]\n\
         [sms]\ncode_tries = 99\ncode_digits = -1\nproviders = [\"pigeon\"]\n\
         [crl]\nvalidity_hours = 5\noverlap_hours = 5\n\
         [payments.webhook.upay]\nsecret = 1\n[partners.mygov]\nkeys = { One = \"one.pem\", two = 2 }\n\
         [partners.desk]\nchannel = \"online\"\nper_minute = 0\n",
    );
    sources.environment.insert("MUHR__HTTP__WROKERS".to_owned(), "4".to_owned());
    let expected = [
        "colour",
        "crl.overlap_hours",
        "default_language",
        "http.limit",
        "http.listen",
        "http.trusted_proxies[1]",
        "http.workers",
        "http.wrokers",
        "partners.desk.channel",
        "partners.desk.keys",
        "partners.desk.per_minute",
        "partners.mygov.channel",
        "partners.mygov.keys.two",
        "payments.webhook.upay.secret",
        "payments.webhook.upay.secret_file",
        "public_url",
        "sms.code_digits",
        "sms.code_tries",
        "sms.providers[0]",
    ];
    assert_eq!(problems(&sources, &Role::ALL), expected);
    let text = Settings::load(&sources, &Role::ALL).unwrap_err().to_string();
    assert!(text.starts_with("19 problems in the settings:\n  colour: there is no such setting\n"), "{text}");
    assert!(text.contains("\n  sms.code_tries: 1 to 10 is expected, not 99\n"), "{text}");
}

#[test]
fn a_database_url_that_cannot_be_read_is_not_repeated() {
    let error =
        Settings::load(&with(&[("database.url", "mysql://u:hidden@h/n")]), &[]).unwrap_err().to_string();
    assert!(error.contains("database.url: sqlite:PATH or postgres://"), "{error}");
    assert!(!error.contains("hidden"));
    let settings = Settings::load(&with(&[("database.url", "postgres://u:hidden@h/n")]), &[]).unwrap();
    assert!(!format!("{settings:?}").contains("hidden"));
}

#[test]
fn named_tables_come_from_any_source() {
    let (_file, mut sources) = file("[payments.webhook.upay]\nsecret_file = \"click\"\n");
    sources
        .environment
        .insert("MUHR__PAYMENTS__WEBHOOK__MUNIS__SECRET_FILE".to_owned(), "/run/paynet".to_owned());
    sources.environment.insert("MUHR__PARTNERS__PORTAL__KEYS__NEW".to_owned(), "new.pem".to_owned());
    sources.environment.insert("MUHR__PARTNERS__PORTAL__DAILY_QUOTA".to_owned(), "500".to_owned());
    sources.environment.insert("MUHR__PARTNERS__PORTAL__CHANNEL".to_owned(), "my.gov.uz".to_owned());
    let settings = Settings::load(&sources, &Role::ALL).unwrap();
    assert_eq!(settings.payments.webhook["upay"].secret_file, Path::new("var/click"));
    assert_eq!(settings.payments.webhook["munis"].secret_file, Path::new("/run/paynet"));
    let partner = &settings.partners["portal"];
    assert_eq!(partner.keys["new"], Path::new("var/new.pem"));
    assert_eq!((partner.daily_quota, partner.per_minute), (500, 300));
}

#[test]
fn production_refuses_what_only_the_sandbox_may_do() {
    let sources = with(&[
        ("environment", "production"),
        ("clock_offset_seconds", "5"),
        ("keys.scrypt_passes", "4"),
        ("payments.webhook.sandbox.secret_file", "absent"),
    ]);
    let expected = [
        "clock_offset_seconds",
        "documents.key_file",
        "documents.master_keys",
        "issuance.ocsp_url",
        "issuance.repository_url",
        "keys.passphrase_file",
        "keys.scrypt_passes",
        "mail.provider",
        "ocsp.passphrase_file",
        "officers.totp_required",
        "payments.webhook.sandbox",
        "payments.webhook.sandbox.secret_file",
        "public_url",
        "sms.providers",
    ];
    assert_eq!(problems(&sources, &Role::ALL), expected);
}

#[test]
fn a_production_role_needs_only_its_own_secrets() {
    let directory = tempfile::tempdir().unwrap();
    let passphrase = directory.path().join("passphrase");
    std::fs::write(&passphrase, "a long enough passphrase").unwrap();
    let private = |mode| {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&passphrase, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let sources = with(&[
        ("environment", "production"),
        ("public_url", "https://muhr.example"),
        ("issuance.ocsp_url", "http://muhr.example/ocsp"),
        ("issuance.repository_url", "http://muhr.example/repository"),
        ("keys.passphrase_file", passphrase.to_str().unwrap()),
    ]);
    private(0o600);
    assert_eq!(problems(&sources, &[Role::Signer, Role::Crl]), [""; 0]);
    private(0o644);
    assert_eq!(problems(&sources, &[Role::Signer]), ["keys.passphrase_file"]);
    std::fs::write(&passphrase, "short").unwrap();
    private(0o600);
    assert_eq!(problems(&sources, &[Role::Ocsp]), ["ocsp.passphrase_file"]);
}

#[test]
fn a_master_key_on_a_token_needs_a_token_and_its_pin() {
    let found = |overrides: &[(&str, &str)]| problems(&with(overrides), &[]);
    assert_eq!(found(&[("documents.master_keys", "")]), ["documents.master_keys"]);
    let named = ("documents.master_keys", "master.key,token:evidence 2027");
    assert_eq!(found(&[named]), ["documents.master_keys"]);
    assert_eq!(found(&[("documents.token.label", "muhr")]), ["documents.token.label"]);
    let bare = [named, ("documents.token.module", "libsofthsm2.so")];
    let missing = ["documents.token.label", "documents.token.module", "documents.token.pin_file"];
    assert_eq!(found(&bare), missing);
    let token = [
        ("documents.token.module", "/lib/p11.so"),
        ("documents.token.label", "muhr"),
        ("documents.token.pin_file", "pin"),
    ];
    // It may be there before its key is.
    assert_eq!(found(&token), [""; 0]);
    assert_eq!(
        found(&[&token[..], &[("documents.master_keys", "token:")]].concat()),
        ["documents.master_keys"]
    );
    let whole = [&token[..], &[named]].concat();
    assert_eq!(found(&whole), [""; 0]);
    let documents = Settings::load(&with(&whole), &[]).unwrap().documents;
    assert!(documents.master_key_files().next().unwrap().ends_with("var/master.key"));
    assert_eq!(documents.master_key_labels().collect::<Vec<_>>(), ["evidence 2027"]);
    let key = documents.token.key("evidence 2027").unwrap();
    assert_eq!((key.token_label, key.key_label.as_deref()), (Some("muhr"), Some("evidence 2027")));
    assert!(documents.token.pin_file.unwrap().ends_with("var/pin"));
}

#[test]
fn a_key_on_a_token_needs_a_library_a_token_and_a_name() {
    let found = |overrides: &[(&str, &str)]| problems(&with(overrides), &Role::ALL);
    let lost = [("keys.token.ca_label", "ca"), ("ocsp.token.pin_file", "pin")];
    assert_eq!(found(&lost), ["keys.token.ca_label", "ocsp.token.pin_file"]);
    let bare = [("keys.token.module", "libsofthsm2.so"), ("ocsp.token.module", "/lib/p11.so")];
    let expected = [
        "keys.token.ca_label",
        "keys.token.label",
        "keys.token.module",
        "ocsp.token.key_label",
        "ocsp.token.label",
    ];
    assert_eq!(found(&bare), expected);
    let token = [("keys.token.module", "/lib/p11.so"), ("keys.token.label", "muhr")];
    let more = |more: &[(&str, &str)]| found(&[&token, more].concat());
    assert_eq!(more(&[("keys.token.ca_label", "ca"), ("keys.token.root_id", "0aFF")]), [""; 0]);
    assert_eq!(more(&[("keys.token.ca_label", "ca"), ("keys.token.serial", "1")]), ["keys.token.serial"]);
    assert_eq!(more(&[("keys.token.ca_id", "abc")]), ["keys.token.ca_id"]);
    let same = [("keys.token.ca_label", "ca"), ("keys.token.root_label", "ca")];
    assert_eq!(more(&same), ["keys.token.root_label"]);
    assert_eq!(more(&[("keys.token.ca_id", "01"), ("keys.token.sessions", "0")]), ["keys.token.sessions"]);
    let keys =
        Settings::load(&with(&[&token[..], &[("keys.token.ca_id", "01")]].concat()), &[]).unwrap().keys;
    assert_eq!(keys.token.issuing().unwrap().key_id, Some("01"));
    assert_eq!((keys.token.root(), keys.token.issuing().unwrap().token_label), (None, Some("muhr")));
}

#[test]
fn production_wants_the_pin_where_the_key_is_on_a_token() {
    let sources = with(&[
        ("environment", "production"),
        ("issuance.ocsp_url", "http://muhr.example/ocsp"),
        ("issuance.repository_url", "http://muhr.example/repository"),
        ("keys.token.module", "/lib/p11.so"),
        ("keys.token.label", "muhr"),
        ("keys.token.ca_label", "ca"),
        ("ocsp.token.module", "/lib/p11.so"),
        ("ocsp.token.serial", "17"),
        ("ocsp.token.key_id", "02"),
    ]);
    assert_eq!(problems(&sources, &[Role::Signer]), ["keys.token.pin_file"]);
    assert_eq!(problems(&sources, &[Role::Ocsp]), ["ocsp.token.pin_file"]);
}

#[test]
fn a_gateway_that_is_used_needs_its_account() {
    let expected = ["login", "password_file"].map(|name| format!("sms.eskiz.{name}"));
    assert_eq!(problems(&with(&[("sms.providers", "eskiz")]), &[]), expected);
    let account = [("sms.playmobile.login", "l"), ("sms.playmobile.password_file", "p")];
    let both = [&[("sms.providers", "playmobile, sandbox")], account.as_slice()].concat();
    assert_eq!(problems(&with(&both), &Role::ALL), [""; 0]);
    assert_eq!(problems(&with(&[("sms.providers", "sandbox,sandbox")]), &[]), ["sms.providers"]);
    assert_eq!(problems(&with(&[("sms.providers", "")]), &[]), ["sms.providers"]);
    let mut sources = Sources::default();
    let variable = |name: &str, value: &str| (format!("MUHR__SMS__{name}"), value.to_owned());
    sources.environment = HashMap::from([
        variable("PROVIDERS", "playmobile,eskiz"),
        variable("PLAYMOBILE__LOGIN", "muhr"),
        variable("PLAYMOBILE__PASSWORD_FILE", "playmobile.password"),
        variable("ESKIZ__LOGIN", "muhr@example.uz"),
        variable("ESKIZ__PASSWORD_FILE", "/run/eskiz"),
        variable("ESKIZ__CALLBACK_ADDRESSES", "192.0.2.1,192.0.2.2"),
    ]);
    let sms = Settings::load(&sources, &Role::ALL).unwrap().sms;
    assert_eq!(sms.providers, [SmsProvider::PlayMobile, SmsProvider::Eskiz]);
    assert_eq!(sms.playmobile.password_file.unwrap(), Path::new("var/playmobile.password"));
    assert_eq!(sms.eskiz.callback_addresses.len(), 2);
}

#[test]
fn production_starts_the_api_with_real_gateways() {
    let directory = tempfile::tempdir().unwrap();
    let secret = directory.path().join("secret");
    std::fs::write(&secret, [b'x'; 32]).unwrap();
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    let secret = secret.to_str().unwrap();
    let sources = with(&[
        ("environment", "production"),
        ("public_url", "https://muhr.example"),
        ("issuance.ocsp_url", "http://muhr.example/ocsp"),
        ("issuance.repository_url", "http://muhr.example/repository"),
        ("officers.totp_required", "true"),
        ("documents.key_file", secret),
        ("documents.master_keys", secret),
        ("sms.providers", "eskiz,playmobile"),
        ("sms.eskiz.login", "muhr@example.uz"),
        ("sms.eskiz.password_file", secret),
        ("sms.playmobile.login", "muhr"),
        ("sms.playmobile.password_file", secret),
        ("mail.provider", "smtp"),
        ("mail.sender", "muhr@muhr.example"),
        ("mail.smtp.host", "mail.example"),
        ("mail.smtp.login", "muhr"),
        ("mail.smtp.password_file", secret),
    ]);
    assert_eq!(problems(&sources, &[Role::Api]), [""; 0]);
    let open = sources.clone().with("sms.eskiz.base_url", "http://gateway.example");
    assert_eq!(problems(&open, &[Role::Api]), ["sms.eskiz.base_url"]);
    let absent = sources.with("sms.playmobile.password_file", "/absent");
    assert_eq!(problems(&absent, &[Role::Api]), ["sms.playmobile.password_file"]);
}

#[test]
fn mail_without_tls_stays_on_this_machine() {
    let smtp = |host, tls| {
        problems(&with(&[("mail.provider", "smtp"), ("mail.smtp.host", host), ("mail.smtp.tls", tls)]), &[])
    };
    assert_eq!(smtp("127.0.0.1", "none"), [""; 0]);
    assert_eq!(smtp("mail.example.uz", "implicit"), [""; 0]);
    assert_eq!(smtp("mail.example.uz", "none"), ["mail.smtp.tls"]);
    assert_eq!(smtp("", "starttls"), ["mail.smtp.host"]);
}

#[test]
fn a_file_that_is_absent_or_not_toml_is_named() {
    let absent = Sources { file: Some("/absent.toml".into()), ..Sources::default() };
    assert!(Settings::load(&absent, &[]).unwrap_err().to_string().contains("/absent.toml"));
    let (_file, broken) = file("[http\n");
    assert!(matches!(Settings::load(&broken, &[]), Err(SettingsError::Syntax(_))));
}

#[test]
fn the_effective_settings_are_the_same_from_wherever_they_come_and_hold_no_password() {
    let (_file, from_file) =
        file("[sms]\ncode_tries = 3\n[database]\nurl = \"postgres://muhr:hidden@db/muhr\"\n");
    let given = with(&[("database.url", "postgres://muhr:other@db/muhr"), ("sms.code_tries", "3")]);
    let [one, other] = [&from_file, &given].map(|sources| Settings::load(sources, &[]).unwrap().effective);
    assert_eq!(one, other);
    assert!(one.contains("\ndatabase.url = \"postgres://muhr@db/muhr\"\n"), "{one}");
    assert!(!one.contains("hidden"));
    let changed = Settings::load(&given.with("sms.code_tries", "4"), &[]).unwrap().effective;
    assert_ne!(one, changed);
}
