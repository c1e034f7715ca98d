//! Credentials: keys and tokens that their issuers mark, private-key blocks, and random-looking values
//! given to something called a password, secret, token or key.

use std::sync::LazyLock;

use regex::bytes::Regex;

use super::near::{before, byte, is_word};
use super::{Entity, Found};

#[expect(clippy::unwrap_used, reason = "a constant pattern, compiled by every test")]
fn pattern(pattern: &str) -> Regex {
    Regex::new(pattern).unwrap()
}

/// Forms by issuer, as they document them: AWS, GitHub, GitLab, Slack, Stripe, OpenAI and Anthropic,
/// Google, Hugging Face, npm, PyPI, SendGrid, Docker, DigitalOcean, Shopify, Square, Databricks, Mailgun,
/// Grafana, Linear, Atlassian, Vault, age, Groq, Replicate, JSON Web Tokens.
static MARKED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?x-u)
        (?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16} | gh[pousr]_[0-9A-Za-z]{36,251}
        | github_pat_[0-9A-Za-z_]{22,82}
        | gl(?:pat|dt|ptt|rt|cbt|soat|agent|ft|imt)-[0-9A-Za-z_-]{20,64}(?:\.[0-9a-z.]{2,20})?
        | xox[abceoprs]-[0-9A-Za-z-]{10,200} | xapp-[0-9]-[0-9A-Za-z-]{20,200}
        | hooks\.slack\.com/services/T[0-9A-Z]{8,12}/B[0-9A-Z]{8,12}/[0-9A-Za-z]{20,28}
        | [srp]k_(?:live|prod)_[0-9A-Za-z]{16,128} | [sr]k_test_[0-9A-Za-z]{16,128}
        | whsec_[0-9A-Za-z]{32,64} | sk-(?:proj-|ant-|svcacct-)?[0-9A-Za-z_-]{32,180}
        | AIza[0-9A-Za-z_-]{35} | ya29\.[0-9A-Za-z_-]{20,200} | GOCSPX-[0-9A-Za-z_-]{28}
        | hf_[A-Za-z]{34} | npm_[0-9A-Za-z]{36} | pypi-AgE[0-9A-Za-z_-]{50,200}
        | SG\.[0-9A-Za-z_-]{22}\.[0-9A-Za-z_-]{43} | dckr_[po]at_[0-9A-Za-z_-]{27,32}
        | do[opr]_v1_[0-9a-f]{64} | shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}
        | sq0(?:atp|csp)-[0-9A-Za-z_-]{22,43} | dapi[0-9a-f]{32} | key-[0-9a-f]{32}
        | glsa_[0-9A-Za-z]{32}_[0-9a-f]{8} | lin_api_[0-9A-Za-z]{40} | ATATT3[0-9A-Za-z_=-]{100,250}
        | hvs\.[0-9A-Za-z_-]{24,120} | AGE-SECRET-KEY-1[0-9A-Z]{58} | gsk_[0-9A-Za-z]{52}
        | r8_[0-9A-Za-z]{37}
        | eyJ[0-9A-Za-z_-]{10,500}\.eyJ[0-9A-Za-z_-]{10,2000}\.[0-9A-Za-z_-]{10,700}",
    )
});

static BLOCK: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?-u)-----BEGIN (?:[A-Z0-9]{2,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
});

/// Longest private-key block: an RSA key of 16,384 bits is 12.6 kB.
const LONGEST_BLOCK: usize = 16_384;

static ASSIGNED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r#"(?x-u) (?i:passw(?:or)?d|passphrase|secret|token|api_?key|access_?key|auth_?key)
        (?:_?(?i:key|id|value|hash|string|base64|prod|live|[0-9]))? ["']? [\x20\t]{0,4} (?:=>|[:=])=? [\x20\t]{0,4}
        ["'] ([!\x23-\x26\x28-\x7E]{16,128}) ["']"#,
    )
});

/// Append the secrets of `text`.
pub(super) fn secrets(text: &str, found: &mut Vec<Found>) {
    let bytes = text.as_bytes();
    let mut add = |span, score| found.push(Found { span, entity: Entity::Secret, score });
    for one in MARKED.find_iter(bytes) {
        if !is_word(before(text, one.start(), 1)) && !is_word(byte(text, one.end())) {
            add(one.range(), 0.95);
        }
    }
    for head in BLOCK.find_iter(bytes) {
        let body = &bytes[head.end()..bytes.len().min(head.end() + LONGEST_BLOCK)];
        let Some(tail) = memchr::memmem::find(body, b"-----END ") else { continue };
        let Some(close) = memchr::memmem::find(&body[tail + 9..], b"-----") else { continue };
        add(head.start()..head.end() + tail + 9 + close + 5, 0.99);
    }
    for assigned in ASSIGNED.captures_iter(bytes) {
        let start = assigned.get(0).map_or(0, |whole| whole.start());
        if word_before_is_public(&bytes[..start]) {
            continue;
        }
        if let Some(value) = assigned.get(1).filter(|value| is_random(value.as_bytes())) {
            add(value.range(), 0.7);
        }
    }
}

/// `PublicKeyToken` and the like name what everybody may know.
fn word_before_is_public(head: &[u8]) -> bool {
    let tail = head[head.len().saturating_sub(11)..].to_ascii_lowercase();
    memchr::memmem::find(&tail, b"public").is_some()
}

/// Longest value with a slash that is taken for a path or a name; random ones are longer.
const LONGEST_PATH: usize = 32;

/// Fewest bits per character of a value taken for random: hexadecimal digits reach 3.6 or so.
const FEWEST_BITS: f64 = 3.0;

/// Whether a value has letters and digits, few repetitions, and is no path, name or placeholder.
fn is_random(value: &[u8]) -> bool {
    let mut counts = [0_u32; 128];
    for byte in value {
        counts[usize::from(byte & 127)] += 1;
    }
    let n = value.len() as f64;
    let bits: f64 = counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| f64::from(*count) / n)
        .map(|share| -share * share.log2())
        .sum();
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    let letters = value.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    let odd = value.iter().any(|byte| b"{}<>$%()\\,;: ".contains(byte));
    let path = value.len() <= LONGEST_PATH && value.contains(&b'/');
    bits >= FEWEST_BITS
        && !path
        && digits >= 2
        && letters >= 2
        && !odd
        && value.iter().all(u8::is_ascii)
}
