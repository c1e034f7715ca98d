//! The `Link` field of HTTP (RFC 8288), as far as it names a license.

/// The targets in the value of a `Link` field whose relation is `license`.
pub(super) fn licenses(value: &str) -> Vec<&str> {
    let (mut found, mut rest) = (Vec::new(), value);
    while let Some((_, link)) = rest.split_once('<') {
        let Some((target, after)) = link.split_once('>') else { break };
        let parameters = after.split(outside_quotes(',')).next().unwrap_or_default();
        if parameters.split(outside_quotes(';')).any(is_license) {
            found.push(target.trim());
        }
        rest = &after[parameters.len()..];
    }
    found
}

/// Finds a character that does not stand in a quoted value.
fn outside_quotes(wanted: char) -> impl FnMut(char) -> bool {
    let mut is_quoted = false;
    move |c| {
        is_quoted ^= c == '"';
        c == wanted && !is_quoted
    }
}

/// Whether a parameter is a relation, or several, with `license` among them.
fn is_license(parameter: &str) -> bool {
    parameter.split_once('=').is_some_and(|(name, value)| {
        let relations = value.trim().trim_matches('"');
        name.trim().eq_ignore_ascii_case("rel")
            && relations.split_ascii_whitespace().any(|one| one.eq_ignore_ascii_case("license"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_links_with_the_relation_license_are_named() {
        let cases: [(&str, &[&str]); 8] = [
            (r#"<https://a.example/l>; rel="license""#, &["https://a.example/l"]),
            ("< /l >;title=x; REL = License", &["/l"]),
            (r#"<a>; rel="next license", <b>; rel=prev, <c>;rel=license"#, &["a", "c"]),
            (r#"<a>; title="x, <b>; rel=license""#, &[]),
            (r#"<a>; rel="licenses", <b>"#, &[]),
            ("<a", &[]),
            ("", &[]),
            ("rel=license", &[]),
        ];
        for (value, targets) in cases {
            assert_eq!(licenses(value), targets, "{value}");
        }
    }
}
