use pretty_assertions::assert_eq;

use super::*;

#[expect(clippy::unnecessary_wraps, reason = "the fields are optional")]
fn secret(text: &str) -> Option<SecretString> {
    Some(SecretString::from(text))
}

fn at(second: i64) -> Option<Timestamp> {
    Timestamp::from_second(second).ok()
}

fn login(n: i64) -> StoredLogin {
    StoredLogin {
        refresh_token: secret(&format!("secret-r{n}")),
        previous_refresh_token: secret(&format!("secret-r{}", n - 1)),
        access_token: secret(&format!("secret-a{n}")),
        access_expires_at: at(n + 100),
        issued_at: at(n),
        region: Some("eu".into()),
        configured_token: secret("secret-seed"),
        configured_token_spent_at: at(0),
        wait: Some(Wait {
            until: at(500).expect("small"),
            configured_token: secret("secret-seed"),
            asker: None,
        }),
        api: Some("fleet".into()),
        email: None,
    }
}

fn token(stored: Option<&StoredLogin>) -> Option<&str> {
    stored?
        .refresh_token
        .as_ref()
        .map(ExposeSecret::expose_secret)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

struct StoreRig {
    state: tempfile::TempDir,
    store: TokenStore,
}

fn rig() -> StoreRig {
    let state = tempfile::tempdir().unwrap();
    let store = TokenStore::new(state.path(), "home").unwrap();
    drop(store.try_lock().unwrap());
    StoreRig { state, store }
}

#[test]
fn a_login_comes_back_as_it_was_kept_and_only_for_us() {
    let rig = rig();
    assert!(rig.store.load().unwrap().is_none());
    rig.store.save(&login(1)).unwrap();
    rig.store.save(&login(2)).unwrap();
    let found = rig.store.load().unwrap().unwrap();
    assert_eq!(
        serde_json::to_value(&found).unwrap(),
        serde_json::to_value(login(2)).unwrap()
    );
    let directory = rig.state.path().join("accounts");
    assert_eq!((mode(&directory), mode(&rig.store.path())), (0o700, 0o600));
    for entry in fs::read_dir(directory).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
}

#[test]
fn a_login_that_others_could_read_is_closed_to_them() {
    let rig = rig();
    rig.store.save(&login(1)).unwrap();
    let directory = rig.state.path().join("accounts");
    fs::set_permissions(rig.store.path(), fs::Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();
    let store = TokenStore::new(rig.state.path(), "home").unwrap();
    assert!(store.load().unwrap().is_some());
    assert_eq!((mode(&directory), mode(&rig.store.path())), (0o700, 0o600));
}

#[test]
fn a_damaged_file_is_moved_aside_and_never_lost() {
    for text in [
        "",
        "{",
        "null",
        "[]",
        r#"{"refresh_token":5}"#,
        "\u{0}\u{0}",
        r#"{"refresh_token":"secret-r1","#,
    ] {
        let rig = rig();
        fs::write(rig.store.path(), text).unwrap();
        assert!(rig.store.load().unwrap().is_none(), "{text}");
        let aside = rig.state.path().join("accounts/home.json.damaged");
        assert_eq!(fs::read_to_string(&aside).unwrap(), text);
        assert_eq!(mode(&aside), 0o600);
        rig.store.save(&login(1)).unwrap();
        assert_eq!(token(rig.store.load().unwrap().as_ref()), Some("secret-r1"));
    }
}

#[test]
fn fields_of_another_version_are_no_damage() {
    let rig = rig();
    fs::write(
        rig.store.path(),
        r#"{"refresh_token":"r","future":{"x":1}}"#,
    )
    .unwrap();
    assert_eq!(token(rig.store.load().unwrap().as_ref()), Some("r"));
    fs::write(rig.store.path(), "{}").unwrap();
    assert_eq!(token(rig.store.load().unwrap().as_ref()), None);
}

/// A kill after the new file was written (wholly or not) and before it was renamed.
#[test]
fn a_kill_between_writing_and_renaming_loses_nothing() {
    let check = |beside: &[u8], expected: &str| {
        let rig = rig();
        rig.store.save(&login(1)).unwrap();
        fs::write(rig.store.staged_path(), beside).unwrap();
        assert_eq!(token(rig.store.load().unwrap().as_ref()), Some(expected));
        rig.store.save(&login(7)).unwrap();
        assert_eq!(token(rig.store.load().unwrap().as_ref()), Some("secret-r7"));
    };
    let whole = serde_json::to_vec(&login(2)).unwrap();
    check(&whole, "secret-r2");
    for end in [0, 1, whole.len() / 2, whole.len() - 1] {
        check(&whole[..end], "secret-r1");
    }
    check(&serde_json::to_vec(&login(5)).unwrap(), "secret-r1");
    check(&serde_json::to_vec(&login(0)).unwrap(), "secret-r1");
    check(&[b'x'; 4096], "secret-r1");
}

#[test]
fn only_one_process_at_a_time_may_spend_a_token() {
    let rig = rig();
    let other = TokenStore::new(rig.state.path(), "home").unwrap();
    let held = rig.store.try_lock().unwrap();
    assert!(held.is_some());
    assert!(other.try_lock().unwrap().is_none());
    drop(held);
    assert!(other.try_lock().unwrap().is_some());
}

#[test]
fn an_account_name_cannot_leave_the_directory() {
    let state = tempfile::tempdir().unwrap();
    for name in ["", "../x", "a/b", "a.b", "ä", "a\0"] {
        assert!(TokenStore::new(state.path(), name).is_err(), "{name:?}");
    }
}

#[test]
fn a_place_that_cannot_be_written_is_found_out_before_a_token_is_spent() {
    let rig = rig();
    rig.store.rehearse().unwrap();
    fs::remove_dir_all(rig.state.path().join("accounts")).unwrap();
    let error = rig.store.rehearse().unwrap_err().to_string();
    assert!(
        error.contains("home.json") && error.contains("write"),
        "{error}"
    );
    assert!(rig.store.save(&login(1)).is_err());
}

/// The rehearsal was shorter than a login: a disk with one block left had a token spent for nothing.
#[test]
fn a_rehearsal_is_as_long_as_the_longest_login() {
    let long = || Some(SecretString::from("x".repeat(6 * 1024)));
    let longest = StoredLogin {
        refresh_token: long(),
        previous_refresh_token: long(),
        access_token: long(),
        configured_token: long(),
        ..login(1)
    };
    let text = serde_json::to_vec_pretty(&longest).unwrap();
    assert!(text.len() <= REHEARSED, "{}", text.len());
}

#[test]
fn a_login_made_elsewhere_outranks_the_configuration_of_today() {
    let rig = rig();
    let settings = crate::api::token_selection::tests::settings(crate::config::Api::Fleet);
    keep_login(
        &rig.store,
        &settings,
        SecretString::from("secret-new"),
        at(5).unwrap(),
    )
    .unwrap();
    let found = rig.store.load().unwrap().unwrap();
    assert_eq!(token(Some(&found)), Some("secret-new"));
    assert!(same(
        found.configured_token.as_ref(),
        settings.refresh_token.as_ref()
    ));
}

#[test]
fn no_token_is_ever_formatted() {
    assert!(!format!("{:?}", login(1)).contains("secret-"));
}
