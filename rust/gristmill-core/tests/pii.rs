//! What is personal data and what only looks like it; masks replace exactly what was found.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use gristmill_core::pii::{Entities, Entity, Found, find, find_all, scrub};
use proptest::prelude::*;

/// What is found, as `entity value`.
fn found(text: &str) -> Vec<String> {
    find(text, Entities::ALL)
        .into_iter()
        .filter(|one| !matches!(one.entity, Entity::Url | Entity::PrivateIp))
        .map(|one| format!("{} {}", one.entity.name(), &text[one.span]))
        .collect()
}

#[test]
fn personal_data_is_found_whole() {
    for (text, expected) in [
        ("write to ada.b+c@mail.example.co.uk.", "email ada.b+c@mail.example.co.uk"),
        ("<ada@example.com>", "email ada@example.com"),
        ("mailto:ADA@EXAMPLE.COM?subject=x", "email ADA@EXAMPLE.COM"),
        ("call +1-448-414-3381x060 now", "phone +1-448-414-3381x060"),
        ("+41 (0)38 549 02 90", "phone +41 (0)38 549 02 90"),
        ("(415) 555-2671", "phone (415) 555-2671"),
        ("Tel: 01 23 45 67 89", "phone 01 23 45 67 89"),
        ("4111 1111 1111 1111", "card 4111 1111 1111 1111"),
        ("5105105105105100,", "card 5105105105105100"),
        ("3782-822463-10005", "card 3782-822463-10005"),
        ("my card 6304 2737 3398", "card 6304 2737 3398"),
        ("GB82 WEST 1234 5698 7654 32", "iban GB82 WEST 1234 5698 7654 32"),
        ("de89370400440532013000", "iban de89370400440532013000"),
        ("from 69.196.0.85:443", "ip 69.196.0.85"),
        ("2a00:1450:4001:81b::200e", "ip 2a00:1450:4001:81b::200e"),
        ("4f8a:c99e:dc86:faf9:5988:5f63:375e:8a2a", "ip 4f8a:c99e:dc86:faf9:5988:5f63:375e:8a2a"),
        ("SSN 078051120", "national_id 078051120"),
        ("219-09-9999", "national_id 219-09-9999"),
        ("AB 12 34 56 C", "national_id AB 12 34 56 C"),
        ("postgres://joe:s3cret@db.example.com/x", "url_credential joe:s3cret"),
        ("key AKIAIOSFODNN7EXAMPLE", "secret AKIAIOSFODNN7EXAMPLE"),
        ("password = \"a8Fq20xLz91kQwe7\"", "secret a8Fq20xLz91kQwe7"),
        ("1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", "crypto 1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"),
        (
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
            "crypto bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        ),
        (
            "0x52908400098527886E0F7030069857D2E4169EE7",
            "crypto 0x52908400098527886E0F7030069857D2E4169EE7",
        ),
        (
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            "crypto 0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        ),
        (
            "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
            "crypto BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
        ),
        (
            "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
            "crypto bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
        ),
        ("40.7128° N, 74.0060° W", "geo 40.7128° N, 74.0060° W"),
        ("40°26′46″N 79°58′56″W", "geo 40°26′46″N 79°58′56″W"),
        ("location: -33.8688, 151.2093", "geo -33.8688, 151.2093"),
    ] {
        assert_eq!(found(text), [expected], "{text}");
    }
}

#[test]
fn what_only_looks_like_it_is_left_alone() {
    for text in [
        "@app.route('/')",
        "git clone git@github.com:org/repo.git",
        "ssh://git@github.com/org/repo",
        "y = a@b",
        "out = q@self.weight",
        "npm i left@1.2.3",
        "logo@2x.png",
        "127.0.0.1 10.1.2.3 192.168.1.1 172.16.0.9 203.0.113.7 0.0.0.0 255.255.255.255",
        "version 171.42.13.99",
        "==81.2.3.40",
        "1.2.3.4",
        "81.2.3.40.5",
        "v81.2.3.40",
        "81.2.3.400",
        "std::vector add::face ::1 fe80::1 2001:db8::1 12:30:45 aa:bb:cc:dd:ee:ff",
        "4111 1111 1111 1112",
        "0.4111111111111111",
        "1234567812345670",
        "GB83 WEST 1234 5698 7654 32",
        "000-12-3456 666-12-3456 123-00-4567 123-45-0000 999-12-3456",
        "123-45-67890",
        "2024-01-15 and 01-02-2024, call from 2019-2021",
        "+12.345678",
        "1700000000000",
        "https://example.com/a:b@c",
        "https://{user}:{password}@example.com",
        "http://user@example.com/",
        "token = get_token(os.environ['NAME'])",
        "password = 'correct horse battery'",
        "PublicKeyToken=\"cb1543ab759ce10e\"",
        "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN3",
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD",
        "BC1QW508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        "[0.12345, 0.67891]",
        "location: 133.8688, 151.2093",
    ] {
        assert_eq!(found(text), [] as [&str; 0], "{text}");
    }
}

/// Examples of issuers and handbooks, or made by the published rule.
const NATIONAL: [&str; 20] = [
    "SSN 078-05-1120",
    "UK: AB123456C",
    "SIN 130 692 544",
    "DNI 12345678Z",
    "X1234567L",
    "RSSMRA85T10A562S",
    "2 55 08 14 168 025 38",
    "Steuer-ID 86095742719",
    "111.444.777-35",
    "CPF: 11144477735",
    "Aadhaar 2341 2341 2346",
    "PESEL 44051401359",
    "personnummer 811228-9874",
    "BSN 111222333",
    "TFN 123 456 782",
    "11010519491231002X",
    "RRN 900101-1234568",
    "NHS 943 476 5919",
    "756.9217.0769.85",
    "kimlik 10000000146",
];

#[test]
fn national_numbers_are_found_by_their_plans() {
    for text in NATIONAL {
        let found = found(text);
        assert!(found.len() == 1 && found[0].starts_with("national_id "), "{text}: {found:?}");
    }
}

#[test]
fn another_last_character_makes_a_national_number_nobodys() {
    for text in &NATIONAL[2..] {
        let last = text.chars().last().unwrap();
        let other = match last {
            '0'..='9' => char::from(b'0' + (last as u8 - b'0' + 1) % 10),
            'X' => '1',
            _ => char::from(b'A' + (last as u8 - b'A' + 1) % 26),
        };
        let wrong = format!("{}{other}", &text[..text.len() - 1]);
        let found = found(&wrong);
        let known = text.starts_with("RRN");
        assert!(known || !found.iter().any(|f| f.starts_with("national_id")), "{wrong}: {found:?}");
    }
}

#[test]
fn numbers_of_weak_plans_need_a_word() {
    for text in
        ["130 692 544", "12345678Z", "86095742719", "11144477735", "111222333", "943 476 5919"]
    {
        assert_eq!(found(text), [] as [&str; 0], "{text}");
    }
}

#[test]
fn keys_are_found_by_the_mark_of_their_issuer() {
    let tail = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0u1V2w3X4";
    for (mark, length) in [
        ("ghp_", 36),
        ("glpat-", 20),
        ("xapp-1-", 30),
        ("sk_test_", 24),
        ("whsec_", 32),
        ("GOCSPX-", 28),
        ("npm_", 36),
        ("dckr_pat_", 27),
        ("r8_", 37),
        ("lin_api_", 40),
    ] {
        let key = format!("{mark}{}", &tail[..length]);
        assert_eq!(found(&format!("key {key}.")), [format!("secret {key}")]);
        assert_eq!(found(&format!("key {mark}{}", &tail[..8])), [] as [&str; 0]);
    }
}

#[test]
fn what_a_model_found_gives_way_to_what_has_a_form() {
    let text = "é Ada Example ada@example.com";
    let named = |span, entity| Found { span, entity, score: 0.85 };
    let all = vec![
        named(2..13, Entity::Person),
        named(14..29, Entity::Organization),
        named(28..99, Entity::Location),
    ];
    let found = &find_all(&[text], Entities::ALL, &[all], 1).unwrap()[0];
    let kinds: Vec<_> = found.iter().map(|one| (one.entity, one.span.clone())).collect();
    assert_eq!(kinds, [(Entity::Person, 2..13), (Entity::Email, 14..29)]);
}

#[test]
fn a_private_key_goes_as_a_block() {
    let text = "a -----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY----- b";
    assert_eq!(scrub(text, Entities::ALL).0, "a <SECRET_1> b");
}

#[test]
fn equal_values_get_equal_numbers_however_they_are_written() {
    let text = "a@x.org, B@x.org, A@X.ORG; +44 20 7946 0958 or +442079460958";
    let (masked, counts) = scrub(text, Entities::ALL);
    assert_eq!(masked, "<EMAIL_1>, <EMAIL_2>, <EMAIL_1>; <PHONE_1> or <PHONE_1>");
    assert_eq!(counts[Entity::Email as usize], 3);
    assert_eq!(counts[Entity::Phone as usize], 2);
}

#[test]
fn an_unknown_entity_is_refused() {
    assert!(Entities::named(["emails"]).unwrap_err().to_string().contains("emails"));
}

/// Texts made of pieces that begin, end or upset a finding.
fn texts() -> impl Strategy<Value = String> {
    let pieces = [
        "ada@example.com",
        "@",
        ".",
        ":",
        "://",
        "+",
        "-",
        " ",
        "(",
        ")",
        "1",
        "4111",
        "1111",
        "123",
        "45",
        "6789",
        "é",
        "日本",
        "°",
        " N",
        "GB82WEST12345698765432",
        "8.8.8.8",
        "81.2.69.142",
        "::",
        "2a00",
        "\n",
        "call ",
        "0x",
        "password='",
        "'",
        "40.7128",
        ", ",
        "a",
        "AKIA",
        "\u{0}",
    ];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..40).prop_map(|p| p.concat())
}

proptest! {
    #[test]
    fn findings_are_in_order_and_apart(text in texts()) {
        let mut end = 0;
        for one in find(&text, Entities::ALL) {
            prop_assert!(one.span.start >= end && one.span.start < one.span.end);
            prop_assert!((0.0..=1.0).contains(&one.score));
            end = one.span.end;
        }
        prop_assert!(end <= text.len());
    }

    #[test]
    fn character_spans_hold_the_same_text(text in texts()) {
        let characters: Vec<char> = text.chars().collect();
        let bytes = find(&text, Entities::ALL);
        let counted = &find_all(&[&text], Entities::ALL, &[], 2).unwrap()[0];
        prop_assert_eq!(bytes.len(), counted.len());
        for (one, other) in bytes.iter().zip(counted) {
            let held: String = characters[other.span.clone()].iter().collect();
            prop_assert_eq!(&text[one.span.clone()], held);
        }
    }

    #[test]
    fn one_entity_is_found_alike_alone_and_among_all(text in texts()) {
        for entity in Entity::ALL {
            let alone = find(&text, Entities::named([entity.name()]).unwrap());
            let mut among = find(&text, Entities::ALL);
            among.retain(|one| one.entity == entity);
            prop_assert_eq!(alone, among);
        }
    }

    #[test]
    fn masks_replace_what_was_found_and_nothing_else(text in texts()) {
        let (masked, counts) = scrub(&text, Entities::ALL);
        let found = find(&text, Entities::ALL);
        prop_assert_eq!(counts.iter().sum::<u32>() as usize, found.len());
        let mut rest = &masked[..];
        let mut from = 0;
        for one in &found {
            rest = rest.strip_prefix(&text[from..one.span.start]).unwrap();
            let mask = format!("<{}_", one.entity.name().to_uppercase());
            let (_, behind) = rest.strip_prefix(mask.as_str()).unwrap().split_once('>').unwrap();
            rest = behind;
            from = one.span.end;
        }
        prop_assert_eq!(rest, &text[from..]);
    }

    #[test]
    fn any_text_is_searched(text in ".*") {
        let _ = scrub(&text, Entities::ALL);
    }
}

#[test]
fn hostile_texts_end_soon() {
    let units = [
        "1",
        "1 ",
        "1.",
        "1-",
        "(1",
        "+1",
        "@",
        "a@",
        "a@b.",
        "a.com@",
        ":",
        "::",
        "a:",
        "f:",
        "://",
        "a://b:",
        "a",
        "-----BEGIN PRIVATE KEY-----",
        "password='",
        "eyJ",
        "eyJa.",
        "12 ",
        "1,",
        "40.7128, ",
        "lat 1.111,",
        "GB82",
        "AB12",
        "sk-",
        "tel 1",
        "http://a.com/",
        "http://",
        "www.",
        "www.a.com",
        "0x1234567890abcdefABCDEF12345678901234567890 ",
        "bc1q",
        "111.444.777-",
        "1-1-1-1-",
    ];
    for unit in units {
        let text = unit.repeat(200_000 / unit.len());
        let _ = find(&text, Entities::ALL);
    }
}
