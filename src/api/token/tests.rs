use pretty_assertions::assert_eq;
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn jwt(claims: &Value) -> SecretString {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    SecretString::from(format!(
        "{}.{}.c2ln",
        part(&json!({"alg": "RS256"})),
        part(claims)
    ))
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

#[test]
fn the_claims_of_a_jwt_are_read_field_by_field() {
    let token = jwt(&json!({
        "exp": 1_800_028_800, "iat": 1_800_000_000.7, "ou_code": "EU", "iss": "https://auth.tesla.com/oauth2/v3",
        "aud": ["https://fleet-api.prd.eu.vn.cloud.tesla.com", 7], "scp": ["openid", null, "vehicle_device_data"],
    }));
    let expected = TokenClaims {
        expires_at: Some(at(1_800_028_800)),
        issued_at: Some(at(1_800_000_000)),
        audience: vec!["https://fleet-api.prd.eu.vn.cloud.tesla.com".into()],
        ou_code: Some("EU".into()),
        scopes: vec!["openid".into(), "vehicle_device_data".into()],
        issuer: Some("https://auth.tesla.com/oauth2/v3".into()),
    };
    assert_eq!(claims(&token), Some(expected));
    let odd = jwt(&json!({"exp": "soon", "iat": -1, "aud": 5, "scp": "a b", "ou_code": 1}));
    let expected = TokenClaims {
        scopes: vec!["a".into(), "b".into()],
        ..TokenClaims::default()
    };
    assert_eq!(claims(&odd), Some(expected));
}

#[test]
fn opaque_and_broken_tokens_have_no_claims() {
    for text in [
        "",
        "a",
        "a.b",
        "a.b.c",
        "..",
        "qts-0123456789",
        "EU_abc",
        "x.bnVsbA.y",
        "x.W10.y",
        "a.!!!.c",
    ] {
        assert_eq!(claims(&SecretString::from(text)), None, "{text}");
    }
}

#[test]
fn the_region_is_read_from_claim_issuer_audience_or_prefix() {
    let hosts = Hosts::tesla();
    let of = |token: &SecretString| region(token, &hosts);
    let opaque = |text: &str| of(&SecretString::from(text));
    assert_eq!(
        of(&jwt(
            &json!({"ou_code": "EU", "aud": ["https://fleet-api.prd.na.vn.cloud.tesla.com"]})
        )),
        Some(Region::Eu)
    );
    assert_eq!(
        of(&jwt(&json!({"iss": "https://auth.tesla.cn/oauth2/v3"}))),
        Some(Region::Cn)
    );
    assert_eq!(
        of(&jwt(
            &json!({"aud": ["https://x.example", "https://fleet-api.prd.eu.vn.cloud.tesla.com/"]})
        )),
        Some(Region::Eu)
    );
    let both = json!({"aud": ["https://fleet-api.prd.na.vn.cloud.tesla.com", "https://fleet-api.prd.eu.vn.cloud.tesla.com"]});
    assert_eq!(of(&jwt(&both)), None);
    assert_eq!(of(&jwt(&json!({"ou_code": "MARS"}))), None);
    assert_eq!(opaque("NA_0123"), Some(Region::Na));
    assert_eq!(opaque("EU_0123"), Some(Region::Eu));
    assert_eq!(opaque("CN_0123"), Some(Region::Cn));
    assert_eq!(opaque("qts-0123"), Some(Region::Na));
    assert_eq!(opaque("eu-0123"), Some(Region::Eu));
    assert_eq!(opaque("cn-0123"), Some(Region::Cn));
    assert_eq!(opaque("NATO"), None);
    assert_eq!(opaque(""), None);
}

#[test]
fn a_token_answer_is_read_leniently() {
    let read = |body: Value| token_answer(body.to_string().as_bytes());
    let full = read(json!({"access_token": "a", "refresh_token": "r", "expires_in": 28800, "token_type": "Bearer"})).unwrap();
    assert_eq!(full.access.expose_secret(), "a");
    assert_eq!(full.refresh.unwrap().expose_secret(), "r");
    assert_eq!(full.expires_in, Some(Duration::from_hours(8)));
    let lifetimes = [
        (json!("300"), Some(300)),
        (json!(300.5), Some(300)),
        (json!(-1), None),
        (json!(0), None),
        (json!(null), None),
        (json!("x"), None),
        (json!(1e300), None),
    ];
    for (told, expected) in lifetimes {
        let answer = read(json!({"access_token": "a", "expires_in": told})).unwrap();
        assert_eq!(answer.expires_in.map(|life| life.as_secs()), expected);
        assert!(answer.refresh.is_none());
    }
    assert!(read(json!({"response": {"access_token": "a"}})).is_ok());
    assert!(
        read(json!({"access_token": "a", "refresh_token": null}))
            .unwrap()
            .refresh
            .is_none()
    );
}

#[test]
fn what_is_no_token_answer_is_refused_without_quoting_it() {
    for body in [
        "",
        "<html>",
        "[]",
        "{}",
        r#"{"access_token":""}"#,
        r#"{"access_token":5}"#,
        r#"{"access_token":"secret\nvalue"}"#,
        r#"{"access_token":"sécret"}"#,
        r#"{"access_token":"good","refresh_token":["secret"]}"#,
        r#"{"access_token":"secret","#,
        r#"{"error":"login_required"}"#,
    ] {
        let error = token_answer(body.as_bytes()).unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
    }
}

#[test]
fn the_life_of_a_token_is_the_shortest_that_anyone_tells() {
    let now = at(1_800_000_000);
    let check = |claims: Option<Value>, expires_in: Option<u64>, expected_secs: u64| {
        let access = claims
            .as_ref()
            .map_or_else(|| SecretString::from("opaque"), jwt);
        let answer = TokenAnswer {
            access,
            refresh: None,
            expires_in: expires_in.map(Duration::from_secs),
        };
        assert_eq!(
            life(&answer, now).as_secs(),
            expected_secs,
            "{claims:?} {expires_in:?}"
        );
    };
    check(None, None, 28_800);
    check(None, Some(3_888_000), 3_888_000);
    check(None, Some(u64::MAX), LONGEST_LIFE.as_secs());
    check(
        Some(json!({"exp": 1_800_028_800, "iat": 1_800_000_000})),
        Some(28_800),
        28_800,
    );
    check(
        Some(json!({"exp": 1_800_000_300, "iat": 1_799_971_500})),
        Some(28_800),
        300,
    );
    // Our clock is a day ahead, or fifty years behind: the token's own length of life holds.
    check(
        Some(json!({"exp": 1_799_942_400, "iat": 1_799_913_600})),
        Some(28_800),
        28_800,
    );
    check(
        Some(json!({"exp": 3_400_028_800_i64, "iat": 3_400_000_000_i64})),
        None,
        28_800,
    );
    check(
        Some(json!({"exp": 1_800_000_000, "iat": 1_800_000_000})),
        None,
        28_800,
    );
    check(
        Some(json!({"exp": 1_700_000_000, "iat": 1_800_000_000})),
        Some(60),
        60,
    );
}

#[test]
fn a_token_is_replaced_at_about_three_quarters_of_its_life() {
    let hours = |jitter| refresh_after(Duration::from_hours(100), jitter).as_secs() / 3600;
    assert_eq!([hours(0.0), hours(0.5), hours(1.0)], [70, 75, 80]);
    assert_eq!([hours(-3.0), hours(9.0)], [70, 80]);
}

#[test]
fn no_token_is_ever_formatted() {
    let answer =
        token_answer(br#"{"access_token":"top-secret-a","refresh_token":"top-secret-r"}"#).unwrap();
    assert!(!format!("{answer:?}").contains("top-secret"));
}

proptest! {
    #[test]
    fn no_bytes_make_the_token_readers_panic(body in prop::collection::vec(any::<u8>(), 0..300), text in ".{0,120}") {
        if let Ok(answer) = token_answer(&body) {
            let _ = life(&answer, Timestamp::UNIX_EPOCH);
        }
        let token = SecretString::from(text);
        let _ = (claims(&token), region(&token, &Hosts::tesla()));
    }

    #[test]
    fn any_claims_give_a_life_that_a_timer_can_hold(exp in any::<i64>(), iat in any::<f64>(), told in any::<f64>(), now in -1_000_000_000_000_i64..1_000_000_000_000) {
        let token = jwt(&json!({"exp": exp, "iat": iat}));
        let body = json!({"access_token": token.expose_secret(), "expires_in": told});
        let Ok(now) = Timestamp::from_second(now) else { return Ok(()) };
        let answer = token_answer(body.to_string().as_bytes()).unwrap();
        let life = life(&answer, now);
        prop_assert!(life > Duration::ZERO && life <= LONGEST_LIFE);
    }
}
