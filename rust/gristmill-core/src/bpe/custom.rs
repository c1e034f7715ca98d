//! Cuts text by a regular expression of the user's, in time linear in each match.
//!
//! The engine has no look-around and no possessive quantifiers, so the three idioms of published
//! patterns that need them are rewritten to expressions with the same matches: `\s+(?!\S)` as an
//! alternative of its own, `(?![\s\S])` at the end of one, and `x++` where giving back an `x` could
//! never help what follows. All else is allowed only where `tokenizers` (Oniguruma), tiktoken
//! (fancy-regex) and this engine read it alike; Unicode is version 16.0 in all of them.

use std::fmt;

use regex_automata::meta::Regex;
use regex_automata::{Input, PatternID};
use regex_syntax::ast::{
    self, AssertionKind, Ast, ClassPerlKind, ClassSetBinaryOp, ClassSetBinaryOpKind, ClassSetItem,
    Flag, FlagsItem, FlagsItemKind, GroupKind, RepetitionKind,
};
use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, Hir, HirKind, Look};

use crate::{Error, Result};

const MAX_PATTERN_BYTES: usize = 1 << 16;
const MAX_COMPILED_BYTES: usize = 10 << 20;

/// A regular expression that cuts words; text between its matches is a word of its own.
pub struct Custom {
    source: String,
    regex: Regex,
    /// The patterns of `regex` that match one character too many: `\s+\s` for `\s+(?!\S)`.
    trimmed: Vec<PatternID>,
}

impl Custom {
    /// Compile an expression.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`] when it is no expression, can match nothing, uses what the engines read
    /// differently, or compiles to more than 10 MiB.
    pub fn new(source: &str) -> Result<Self> {
        if source.len() > MAX_PATTERN_BYTES {
            return Err(refused(source, "an expression has at most 64 KiB"));
        }
        let mut patterns = Patterns::default();
        for alternative in alternatives(source)? {
            patterns.add(alternative)?;
        }
        patterns.flush();
        let config = Regex::config().nfa_size_limit(Some(MAX_COMPILED_BYTES));
        let regex =
            Regex::builder().configure(config).build_many(&patterns.done).map_err(|_| {
                refused(source, "an expression compiles to at most 10 MiB; repeat less")
            })?;
        Ok(Self { source: source.to_owned(), regex, trimmed: patterns.trimmed })
    }

    /// The expression as it was given.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Where the word that starts at `start` ends: a match, or what lies before the next one.
    pub(super) fn end_of_word(&self, text: &[u8], start: usize) -> usize {
        let Some(found) = self.regex.find(Input::new(text).range(start..)) else {
            return text.len();
        };
        if start < found.start() {
            return found.start();
        }
        let mut end = found.end();
        if self.trimmed.contains(&found.pattern()) {
            end -= 1;
            while text[end] & 0xc0 == 0x80 {
                end -= 1;
            }
        }
        end
    }
}

impl fmt::Debug for Custom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Custom").field(&self.source).finish()
    }
}

impl PartialEq for Custom {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Custom {}

fn refused(part: &str, allowed: &'static str) -> Error {
    Error::Parameter { name: "pattern", value: shown(part), allowed }
}

fn shown(part: &str) -> String {
    match part.char_indices().nth(200) {
        Some((end, _)) => format!("{:?}…", &part[..end]),
        None => format!("{part:?}"),
    }
}

/// The alternatives of an expression at its top level.
fn alternatives(source: &str) -> Result<Vec<&str>> {
    let (mut found, mut start) = (Vec::new(), 0);
    let (mut groups, mut classes) = (0_usize, 0_usize);
    let mut bytes = source.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b'[' => classes += 1,
            b']' => classes = classes.saturating_sub(1),
            b'(' if classes == 0 => groups += 1,
            b')' if classes == 0 => {
                groups = groups.checked_sub(1).ok_or_else(|| {
                    refused(source, "a `)` needs its `(`; a literal one is `\\)`")
                })?;
            }
            b'|' if classes == 0 && groups == 0 => {
                found.push(&source[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    found.push(&source[start..]);
    Ok(found)
}

/// Patterns for the engine, which prefers the earlier one as an expression does its alternatives.
#[derive(Default)]
struct Patterns {
    done: Vec<String>,
    trimmed: Vec<PatternID>,
    /// Alternatives that will be one pattern.
    open: Vec<String>,
}

impl Patterns {
    fn add(&mut self, alternative: &str) -> Result<()> {
        match alternative {
            // greedy, it takes a run of white space that ends the text, else gives one back
            r"\s+(?!\S)" => {
                self.open.push(r"\s+\z".to_owned());
                self.flush();
                self.trimmed.push(PatternID::must(self.done.len()));
                self.done.push(r"\s+\s".to_owned());
            }
            r"\s++(?!\S)" => self.open.push(r"\s+\z".to_owned()),
            _ => self.open.push(rewritten(alternative)?),
        }
        Ok(())
    }

    fn flush(&mut self) {
        if !self.open.is_empty() {
            self.done.push(self.open.join("|"));
            self.open.clear();
        }
    }
}

/// One alternative, checked, with the same matches and no look-around.
fn rewritten(alternative: &str) -> Result<String> {
    let closed = match alternative.strip_suffix(r"(?![\s\S])") {
        Some(start) => format!(r"{start}\z"),
        None => alternative.to_owned(),
    };
    let plain = without_possessives(&closed, &parsed(&closed)?)?;
    let ast = parsed(&plain)?;
    ast::visit(&ast, Check(&plain))?;
    let hir = regex_syntax::parse(&plain).map_err(|error| unreadable(&plain, &error))?;
    if hir.properties().minimum_len().unwrap_or(0) == 0 {
        return Err(refused(alternative, "every alternative matches at least one character"));
    }
    Ok(plain)
}

fn parsed(expression: &str) -> Result<Ast> {
    ast::parse::Parser::new().parse(expression).map_err(|error| unreadable(expression, &error))
}

fn unreadable(expression: &str, error: &dyn fmt::Display) -> Error {
    // the last line says why; those before draw where
    let reason = error.to_string();
    let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
    Error::Parameter {
        name: "pattern",
        value: format!("{} ({reason})", shown(expression)),
        allowed: "an expression without look-around, atomic groups and back-references, but for \
                  the alternatives \\s+(?!\\S) and x(?![\\s\\S])",
    }
}

/// Drop the `+` of `x?+`, `x*+` and `x++` where that changes no match.
fn without_possessives(source: &str, ast: &Ast) -> Result<String> {
    let whole = std::slice::from_ref(ast);
    let items = if let Ast::Concat(concat) = ast { concat.asts.as_slice() } else { whole };
    let mut kept = String::with_capacity(source.len());
    for (i, item) in items.iter().enumerate() {
        let Some(greedy) = possessive(item) else {
            kept.push_str(text_of(source, item));
            continue;
        };
        let rest: Result<Vec<Hir>> = items[i + 1..].iter().map(|ast| hir_of(source, ast)).collect();
        let one = hir_of(source, &greedy.ast)?;
        if !keeps_all(&one, &Hir::concat(rest?)) {
            return Err(refused(
                text_of(source, item),
                "a possessive quantifier is one on a single character that what follows cannot \
                 begin with; write it without its last +",
            ));
        }
        kept.push_str(&source[greedy.span.start.offset..greedy.span.end.offset]);
    }
    Ok(kept)
}

fn text_of<'s>(source: &'s str, ast: &Ast) -> &'s str {
    let span = ast.span();
    &source[span.start.offset..span.end.offset]
}

/// The quantifier that is made possessive, which the parser reads as one that is repeated.
fn possessive(ast: &Ast) -> Option<&ast::Repetition> {
    let Ast::Repetition(outer) = ast else { return None };
    let Ast::Repetition(inner) = &*outer.ast else { return None };
    let counted = matches!(inner.op.kind, RepetitionKind::Range(_));
    let possessive = outer.op.kind == RepetitionKind::OneOrMore && outer.greedy && inner.greedy;
    (possessive && !counted).then_some(inner)
}

fn hir_of(source: &str, ast: &Ast) -> Result<Hir> {
    // inside, `x++` reads as `(x+)+`, which begins with the same characters
    let text = text_of(source, ast);
    regex_syntax::parse(text).map_err(|error| unreadable(text, &error))
}

/// Whether a run of the character `one` is never the better for giving some back to `rest`.
fn keeps_all(one: &Hir, rest: &Hir) -> bool {
    let Some(mut given) = characters(one) else { return false };
    let (first, can_be_empty) = first(rest);
    given.intersect(&first);
    can_be_empty || given.ranges().is_empty()
}

/// The characters an expression stands for, if it stands for a single one.
fn characters(hir: &Hir) -> Option<ClassUnicode> {
    match hir.kind() {
        HirKind::Class(Class::Unicode(class)) => Some(class.clone()),
        HirKind::Literal(literal) => {
            let mut chars = std::str::from_utf8(&literal.0).ok()?.chars();
            let (one, none) = (chars.next()?, chars.next());
            none.is_none().then(|| ClassUnicode::new([ClassUnicodeRange::new(one, one)]))
        }
        _ => None,
    }
}

/// The characters that a match can begin with, and whether it can be empty wherever it stands.
fn first(hir: &Hir) -> (ClassUnicode, bool) {
    match hir.kind() {
        HirKind::Empty => (ClassUnicode::empty(), true),
        HirKind::Literal(literal) => {
            let text = String::from_utf8_lossy(&literal.0);
            let one = text.chars().next().map(|one| ClassUnicodeRange::new(one, one));
            (ClassUnicode::new(one), false)
        }
        HirKind::Class(Class::Unicode(class)) => (class.clone(), false),
        // the end of the text begins with no character
        HirKind::Look(Look::End) => (ClassUnicode::empty(), false),
        HirKind::Look(_) | HirKind::Class(Class::Bytes(_)) => (any(), false),
        HirKind::Repetition(repetition) => {
            let (found, can_be_empty) = first(&repetition.sub);
            (found, can_be_empty || repetition.min == 0)
        }
        HirKind::Capture(capture) => first(&capture.sub),
        HirKind::Concat(parts) => {
            let mut found = ClassUnicode::empty();
            for part in parts {
                let (more, can_be_empty) = first(part);
                found.union(&more);
                if !can_be_empty {
                    return (found, false);
                }
            }
            (found, true)
        }
        HirKind::Alternation(parts) => {
            let mut found = (ClassUnicode::empty(), false);
            for (more, can_be_empty) in parts.iter().map(first) {
                found.0.union(&more);
                found.1 |= can_be_empty;
            }
            found
        }
    }
}

fn any() -> ClassUnicode {
    ClassUnicode::new([ClassUnicodeRange::new('\0', char::MAX)])
}

/// Refuses what `tokenizers`, tiktoken and this engine read differently.
struct Check<'s>(&'s str);

impl Check<'_> {
    fn refuse(&self, span: &ast::Span, allowed: &'static str) -> Result<()> {
        Err(refused(&self.0[span.start.offset..span.end.offset], allowed))
    }
}

impl ast::Visitor for Check<'_> {
    type Output = ();
    type Err = Error;

    fn finish(self) -> Result<()> {
        Ok(())
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<()> {
        let problem = match ast {
            Ast::Assertion(assertion) => assertion_problem(&assertion.kind),
            Ast::Repetition(repetition) => repetition_problem(repetition),
            Ast::Group(group) => group_problem(&group.kind, text_of(self.0, &group.ast)),
            Ast::ClassPerl(class) => class_problem(&class.kind),
            Ast::Flags(_) => Some("flags are written around what they change, as (?i:x)"),
            _ => None,
        };
        problem.map_or(Ok(()), |allowed| self.refuse(ast.span(), allowed))
    }

    fn visit_class_set_item_pre(&mut self, item: &ClassSetItem) -> Result<()> {
        match item {
            ClassSetItem::Ascii(class) => {
                self.refuse(&class.span, "write the Unicode class, as \\p{L} for [:alpha:]")
            }
            ClassSetItem::Perl(class) => class_problem(&class.kind)
                .map_or(Ok(()), |allowed| self.refuse(&class.span, allowed)),
            _ => Ok(()),
        }
    }

    fn visit_class_set_binary_op_pre(&mut self, op: &ClassSetBinaryOp) -> Result<()> {
        match op.kind {
            ClassSetBinaryOpKind::Intersection => Ok(()),
            _ => self.refuse(&op.span, "of sets in a class only && is allowed; a literal - is \\-"),
        }
    }
}

fn assertion_problem(kind: &AssertionKind) -> Option<&'static str> {
    match kind {
        AssertionKind::StartText | AssertionKind::EndText => None,
        AssertionKind::StartLine | AssertionKind::EndLine => Some(
            "^ and $ are ends of lines for tokenizers and of the text for tiktoken; write \\A or \\z",
        ),
        _ => Some("of assertions only \\A and \\z are allowed"),
    }
}

fn repetition_problem(repetition: &ast::Repetition) -> Option<&'static str> {
    if matches!(*repetition.ast, Ast::Repetition(_)) {
        return Some(
            "one quantifier a part; a possessive one only outside of groups, and not {m,n}+: write \
             it without its last +",
        );
    }
    let counted = matches!(repetition.op.kind, RepetitionKind::Range(_));
    (counted && !repetition.greedy).then_some("{m,n}? means two things; write (?:x{m,n})?")
}

fn class_problem(kind: &ClassPerlKind) -> Option<&'static str> {
    (*kind == ClassPerlKind::Word)
        .then_some("\\w is another set in each engine; write [\\p{L}\\p{M}\\p{N}_]")
}

fn group_problem(kind: &GroupKind, inner: &str) -> Option<&'static str> {
    match kind {
        GroupKind::CaptureIndex(_) => None,
        GroupKind::NonCapturing(flags) if flags.items.is_empty() => None,
        GroupKind::NonCapturing(flags) if ignores_case(flags) => ignored_case_problem(inner),
        _ => Some("of groups (x), (?:x) and (?i:x) are allowed"),
    }
}

fn ignores_case(flags: &ast::Flags) -> bool {
    matches!(
        flags.items.as_slice(),
        [FlagsItem { kind: FlagsItemKind::Flag(Flag::CaseInsensitive), .. }]
    )
}

/// Oniguruma also takes one character for several that it folds to, as `ß` for `ss`.
fn ignored_case_problem(inner: &str) -> Option<&'static str> {
    let lower = inner.to_ascii_lowercase();
    let folds = ["ss", "ff", "fi", "fl", "st"].iter().any(|pair| lower.contains(pair));
    (folds || lower.contains('\\') || !lower.is_ascii()).then_some(
        "inside (?i:x) there is ASCII without escapes and ss, ff, fi, fl or st, which are one \
         letter too for some engines",
    )
}
