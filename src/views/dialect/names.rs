//! Names, quoted where a dialect asks for it.
//!
//! One invariant: a name that is quoted without need is quoted all the same where it might be needed: in some settings of an
//! engine more words are reserved than in others.

use sqlparser::ast::Ident;

use super::rewrite::Rules;

/// A name as the dialect must have it.
pub(super) fn ident(rules: &dyn Rules, name: &str) -> Ident {
    let mut ident = Ident::new(name);
    quote(rules, &mut ident);
    ident
}

/// Quotes a name where the dialect asks for it.
pub(super) fn quote(rules: &dyn Rules, ident: &mut Ident) {
    let mut letters = ident.value.chars();
    let is_plain = letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    let is_reserved = rules.reserved().split(' ').any(|word| word.eq_ignore_ascii_case(&ident.value));
    if !is_plain || is_reserved {
        ident.quote_style = Some(rules.quote());
    }
}
