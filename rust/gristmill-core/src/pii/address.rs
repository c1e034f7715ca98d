//! E-mail addresses, IP addresses and credentials in URLs.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;
use std::sync::LazyLock;

use hashbrown::HashSet;

use super::near::{before, byte, is_word, word_before};
use super::{Entity, Found};

/// Top-level domains that the root of the DNS delegates.
static TOP_LEVEL: LazyLock<HashSet<&str>> =
    LazyLock::new(|| include_str!("tlds.txt").split_ascii_whitespace().collect());

const LONGEST_LOCAL: usize = 64;
const LONGEST_DOMAIN: usize = 253;

/// The e-mail address whose `@` is at `at`.
///
/// Not one: a decorator or an operator (no domain, or one under no top-level domain), and the
/// user of a `git@host:path` or `ssh://user@host` address.
pub(super) fn email(text: &str, at: usize) -> Option<Found> {
    let bytes = text.as_bytes();
    let local = |byte: &u8| byte.is_ascii_alphanumeric() || b"._%+-".contains(byte);
    let length =
        bytes[..at].iter().rev().take(LONGEST_LOCAL + 1).take_while(|byte| local(byte)).count();
    if length > LONGEST_LOCAL {
        return None;
    }
    let skipped = bytes[at - length..at].iter().take_while(|byte| b".%+-".contains(byte)).count();
    let start = at - length + skipped;
    if start == at || bytes[at - 1] == b'.' || text[..start].ends_with("://") {
        return None;
    }
    let end = domain_end(text, at + 1)?;
    let copies =
        byte(text, end) == b':' && (is_word(byte(text, end + 1)) || byte(text, end + 1) == b'/');
    if copies || (byte(text, end) == b'@') {
        return None;
    }
    Some(Found { span: start..end, entity: Entity::Email, score: 0.95 })
}

/// The end of the domain name that starts at `start`, if its last label is a top-level domain.
pub(super) fn domain_end(text: &str, start: usize) -> Option<usize> {
    let bytes = &text.as_bytes()[start..];
    let part = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'-' || **byte == b'.';
    let length = bytes.iter().take(LONGEST_DOMAIN + 1).take_while(part).count();
    if length > LONGEST_DOMAIN || byte(text, start + length) == b'_' {
        return None;
    }
    let domain = text[start..start + length].trim_end_matches(['.', '-']);
    let (names, top) = domain.rsplit_once('.')?;
    let label = |label: &str| {
        !label.is_empty() && label.len() <= 63 && !label.starts_with('-') && !label.ends_with('-')
    };
    let exists = TOP_LEVEL.contains(top.to_ascii_lowercase().as_str());
    (exists && names.split('.').all(label)).then_some(start + domain.len())
}

/// The `user:password` of the URL whose `://` is at `at`.
pub(super) fn url_credential(text: &str, at: usize) -> Option<Found> {
    let bytes = text.as_bytes();
    if !bytes[at..].starts_with(b"://") || !before(text, at, 1).is_ascii_alphanumeric() {
        return None;
    }
    let start = at + 3;
    let inside = |byte: &&u8| byte.is_ascii_graphic() && !b"/?#\"'<>`{}$()[]\\|".contains(byte);
    let length = bytes[start..].iter().take(LONGEST_DOMAIN).take_while(inside).count();
    let end = start + memchr::memrchr(b'@', &bytes[start..start + length])?;
    let (user, password) = text[start..end].split_once(':')?;
    let named = is_word(byte(text, end + 1)) && !password.is_empty() && !user.contains('@');
    named.then_some(Found { span: start..end, entity: Entity::UrlCredential, score: 0.95 })
}

/// Words before a dotted number that is a version or a section and no address.
const VERSION_WORDS: [&str; 22] = [
    "version",
    "ver",
    "v",
    "release",
    "rev",
    "revision",
    "section",
    "sec",
    "chapter",
    "figure",
    "table",
    "clause",
    "appendix",
    "build",
    "assembly",
    "sdk",
    "oid",
    "driver",
    "firmware",
    "upgrade",
    "update",
    "paragraph",
];

/// Words before an address.
const ADDRESS_WORDS: [&str; 15] = [
    "ip", "ipv4", "addr", "address", "host", "server", "ping", "dns", "inet", "gateway", "client",
    "subnet", "router", "remote", "peer",
];

/// Octets up to this are usual in versions and sections; so is a last one of 0.
const LOW_OCTET: u8 = 20;

/// Whom an address leads to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Somebody on the internet.
    Public,
    /// A machine of the network it is used in.
    Private,
    /// Nobody: loopback, multicast, documentation, reserved.
    Nobody,
}

impl Reach {
    fn entity(self) -> Option<Entity> {
        match self {
            Self::Public => Some(Entity::Ip),
            Self::Private => Some(Entity::PrivateIp),
            Self::Nobody => None,
        }
    }
}

/// The IPv4 address that begins with the digits `run`.
pub(super) fn ipv4(text: &str, run: &Range<usize>) -> Option<Found> {
    let last = before(text, run.start, 1);
    let fits = run.len() <= 3 && byte(text, run.end) == b'.';
    if !fits || is_word(last) || matches!(last, b'.' | b'-' | b'=' | b'~' | b'^' | b'+') {
        return None;
    }
    let (octets, end) = dotted_quad(text.as_bytes(), run.start)?;
    let next = byte(text, end);
    let goes_on =
        is_word(next) || (matches!(next, b'.' | b'-' | b'+') && is_word(byte(text, end + 1)));
    let is_low = octets.iter().all(|octet| *octet <= LOW_OCTET) || octets[3] == 0;
    let named = word_before(text, run.start, &ADDRESS_WORDS);
    if goes_on || word_before(text, run.start, &VERSION_WORDS) || (is_low && !named) {
        return None;
    }
    let score = if named { 0.95 } else { 0.8 };
    let entity = reach_v4(Ipv4Addr::from(octets)).entity()?;
    Some(Found { span: run.start..end, entity, score })
}

pub(super) fn dotted_quad(bytes: &[u8], start: usize) -> Option<([u8; 4], usize)> {
    let mut octets = [0; 4];
    let mut at = start;
    for (position, octet) in octets.iter_mut().enumerate() {
        if position > 0 {
            if bytes.get(at) != Some(&b'.') {
                return None;
            }
            at += 1;
        }
        let length = super::digits(&bytes[at..bytes.len().min(at + 4)]);
        let padded = length > 1 && bytes[at] == b'0';
        if length == 0 || length > 3 || padded {
            return None;
        }
        let value = bytes[at..at + length].iter().fold(0, |sum, d| sum * 10 + u16::from(d - b'0'));
        *octet = u8::try_from(value).ok()?;
        at += length;
    }
    Some((octets, at))
}

/// By IANA's special-purpose registry; private are RFC 1918, RFC 6598 and link-local addresses.
fn reach_v4(address: Ipv4Addr) -> Reach {
    let [first, second, third, _] = address.octets();
    if address.is_private() || address.is_link_local() || (first == 100 && second & 0xC0 == 64) {
        return Reach::Private;
    }
    let nobody = address.is_loopback()
        || address.is_documentation()
        || first == 0
        || first >= 224
        || (first == 192 && second == 0 && third == 0)
        || (first == 198 && second & 0xFE == 18);
    if nobody { Reach::Nobody } else { Reach::Public }
}

/// Longest way to write an IPv6 address.
const LONGEST_V6: usize = 39;

/// The IPv6 address whose first colon is at `at`.
///
/// A shortened one (`::`) must begin with 2 or 3, as every public address in use does, or be private;
/// else names such as `add::face` would be taken.
pub(super) fn ipv6(text: &str, at: usize) -> Option<Found> {
    let bytes = text.as_bytes();
    let hex = |byte: &&u8| byte.is_ascii_hexdigit();
    let head = bytes[..at].iter().rev().take(5).take_while(hex).count();
    let start = at - head;
    if head == 0
        || head > 4
        || matches!(before(text, start, 1), b':' | b'.' | b'_' | b'-' | b'G'..=b'Z' | b'g'..=b'z')
    {
        return None;
    }
    let part = |byte: &&u8| byte.is_ascii_hexdigit() || **byte == b':';
    let length = bytes[start..].iter().take(LONGEST_V6 + 1).take_while(part).count();
    let written = text.get(start..start + length)?.trim_end_matches(':');
    if length > LONGEST_V6 || is_word(byte(text, start + length)) {
        return None;
    }
    let address: Ipv6Addr = written.parse().ok()?;
    let short = written.contains("::");
    let global = address.segments()[0] & 0xE000 == 0x2000;
    let reach = reach_v6(address);
    let known = global || (reach == Reach::Private && head == 4);
    if short && !known {
        return None;
    }
    let span = start..start + written.len();
    Some(Found { span, entity: reach.entity()?, score: if known { 0.95 } else { 0.7 } })
}

/// By IANA's special-purpose registry; private are unique local and link-local addresses.
fn reach_v6(address: Ipv6Addr) -> Reach {
    let [first, second, ..] = address.segments();
    if first & 0xFE00 == 0xFC00 || first & 0xFFC0 == 0xFE80 {
        return Reach::Private;
    }
    let nobody = first == 0
        || address.is_multicast()
        || (first == 0x2001 && second == 0xDB8)
        || (first == 0x3FFF && second < 0x1000);
    if nobody { Reach::Nobody } else { Reach::Public }
}
