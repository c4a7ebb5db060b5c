use super::*;

const SHIPPED: [&str; 6] = [
    include_str!("../../../config/profiles/root.toml"),
    include_str!("../../../config/profiles/issuing_ca.toml"),
    include_str!("../../../config/profiles/ocsp_signer.toml"),
    include_str!("../../../config/profiles/natural_person.toml"),
    include_str!("../../../config/profiles/sole_proprietor.toml"),
    include_str!("../../../config/profiles/legal_entity.toml"),
];

fn document(toml: &str) -> ProfileDocument {
    toml::from_str(toml).unwrap()
}

fn changed(toml: &str, change: impl FnOnce(&mut ProfileDocument)) -> Result<Profile, ProfileError> {
    let mut document = document(toml);
    change(&mut document);
    Profile::try_from(document)
}

#[test]
fn the_shipped_profiles_keep_the_rules() {
    for toml in SHIPPED {
        let profile: Profile = toml::from_str(toml).unwrap();
        assert!(profile.default_months() <= profile.max_months(), "{}", profile.name());
    }
}

#[test]
fn a_legal_entity_s_name_has_the_order_that_deployed_clients_split() {
    let profile: Profile = toml::from_str(SHIPPED[5]).unwrap();
    let order: Vec<_> = profile.subject().iter().map(|a| a.attribute.name()).collect();
    let expected = "CN,Name,SURNAME,O,L,ST,C,UID,1.2.860.3.16.1.2,T,1.2.860.3.16.1.1,E,BusinessCategory";
    assert_eq!(order.join(","), expected);
}

#[test]
fn an_unknown_key_in_a_profile_is_refused() {
    let misspelt = SHIPPED[3].replace("max_months", "maximum_months");
    assert!(toml::from_str::<Profile>(&misspelt).is_err());
}

#[test]
fn a_subscriber_s_profile_that_breaks_a_rule_is_refused_by_its_name() {
    let natural = SHIPPED[3];
    let refused = |change: fn(&mut ProfileDocument)| changed(natural, change).unwrap_err();
    assert_eq!(refused(|p| p.name = "Natural Person".into()), ProfileError::Name);
    assert_eq!(refused(|p| p.max_months = 25), ProfileError::Months(24));
    assert_eq!(refused(|p| p.default_months = 0), ProfileError::Months(24));
    assert_eq!(refused(|p| p.default_months = 25), ProfileError::Months(24));
    assert_eq!(refused(|p| p.subject.clear()), ProfileError::EmptySubject);
    assert_eq!(
        refused(|p| p.subject[0].attribute = "XX".into()),
        ProfileError::UnknownAttribute("XX".into())
    );
    assert_eq!(
        refused(|p| p.subject[1].attribute = "CN".into()),
        ProfileError::RepeatedAttribute("CN".into())
    );
    assert_eq!(refused(|p| p.subject[0].text = Some("x".into())), ProfileError::Source("CN".into()));
    assert_eq!(refused(|p| p.subject[6].optional = true), ProfileError::Source("O".into()));
    let long = |p: &mut ProfileDocument| p.subject[6].text = Some("x".repeat(65));
    assert_eq!(refused(long), ProfileError::Text("O".into(), InvalidValue::TooLong(64)));
    assert_eq!(refused(|p| p.key_usage.push("sign".into())), ProfileError::UnknownKeyUsage("sign".into()));
    assert_eq!(refused(|p| p.key_usage.push("keyCertSign".into())), ProfileError::KeyUsage);
    assert_eq!(refused(|p| p.key_usage.clear()), ProfileError::KeyUsage);
    for purpose in ["OCSPSigning", "1.3.6.1.5.5.7.3.8", "2.5.29.37.0"] {
        let added = changed(natural, |p| p.extended_key_usage.push(purpose.into()));
        assert_eq!(added.unwrap_err(), ProfileError::KeyPurposes, "{purpose}");
    }
    let twice = |p: &mut ProfileDocument| p.extended_key_usage.push("clientAuth".into());
    assert_eq!(refused(twice), ProfileError::UnknownKeyPurpose("clientAuth".into()));
    let alone = |p: &mut ProfileDocument| p.extended_key_usage = vec!["documentSigning".into()];
    assert_eq!(refused(alone), ProfileError::DocumentSigningAlone);
    assert_eq!(refused(|p| p.policy = Some("policy".into())), ProfileError::UnknownPolicy("policy".into()));
    assert_eq!(refused(|p| p.policy = None), ProfileError::Policy);
    assert_eq!(refused(|p| p.policy = Some("2.5.29.32.0".into())), ProfileError::Policy);
    assert_eq!(refused(|p| p.path_len = Some(0)), ProfileError::PathLen);
    assert_eq!(refused(|p| p.ca_issuers = false), ProfileError::StatusPointers);
}

#[test]
fn the_ca_and_ocsp_profiles_keep_the_rules_of_their_kind() {
    let [root, ca, ocsp, ..] = SHIPPED;
    assert_eq!(changed(root, |p| p.max_months = 301).unwrap_err(), ProfileError::Months(300));
    assert_eq!(changed(root, |p| p.ocsp = true).unwrap_err(), ProfileError::StatusPointers);
    assert_eq!(changed(ca, |p| p.path_len = None).unwrap_err(), ProfileError::PathLen);
    assert_eq!(changed(ca, |p| p.key_usage.truncate(1)).unwrap_err(), ProfileError::KeyUsage);
    assert_eq!(changed(ca, |p| p.crl_distribution_point = false).unwrap_err(), ProfileError::StatusPointers);
    assert_eq!(
        changed(ca, |p| p.extended_key_usage = vec!["clientAuth".into()]).unwrap_err(),
        ProfileError::KeyPurposes
    );
    assert_eq!(changed(ocsp, |p| p.max_months = 13).unwrap_err(), ProfileError::Months(12));
    assert_eq!(changed(ocsp, |p| p.extended_key_usage.clear()).unwrap_err(), ProfileError::KeyPurposes);
    assert_eq!(changed(ocsp, |p| p.crl_distribution_point = true).unwrap_err(), ProfileError::StatusPointers);
    assert_eq!(
        changed(ocsp, |p| p.key_usage.push("nonRepudiation".into())).unwrap_err(),
        ProfileError::KeyUsage
    );
}

#[test]
fn only_subscribers_certificates_are_spread_over_shards() {
    let person = include_str!("../../../config/profiles/natural_person.toml");
    assert_eq!(changed(person, |_| ()).unwrap().crl_shards(), 1);
    assert_eq!(changed(person, |p| p.crl_shards = 4096).unwrap().crl_shards(), 4096);
    for shards in [0, 4097] {
        assert_eq!(changed(person, |p| p.crl_shards = shards).unwrap_err(), ProfileError::CrlShards);
    }
    let without = changed(person, |p| (p.crl_shards, p.crl_distribution_point) = (2, false));
    assert_eq!(without.unwrap_err(), ProfileError::CrlShards);
    let ca = include_str!("../../../config/profiles/issuing_ca.toml");
    assert_eq!(changed(ca, |p| p.crl_shards = 2).unwrap_err(), ProfileError::CrlShards);
}
