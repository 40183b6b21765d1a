//! Scopes ([SMART scopes](https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html)) in both spellings:
//! `system/*.read` of version 1 and `system/*.rs` of version 2.
//!
//! Servers take the one, the other or both; some drop what they do not know without a word. So which was granted is
//! compared with what was asked, by meaning and not by spelling.

use std::fmt;

/// A list of scopes, in the order in which it was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes(Vec<String>);

/// What one scope allows: of whom, on which type, with which of the letters `cruds`, and narrowed by which query.
#[derive(PartialEq, Eq)]
struct Meaning<'a> {
    context: &'a str,
    type_: &'a str,
    letters: String,
    query: Option<&'a str>,
}

impl Scopes {
    /// Reads scopes that are separated by spaces.
    pub fn parse(text: &str) -> Self {
        Self(text.split_whitespace().map(str::to_owned).collect())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The scopes one by one.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Those scopes that `granted` does not allow in full.
    pub fn not_in(&self, granted: &Self) -> Vec<String> {
        let allowed: Vec<Meaning> = granted.iter().filter_map(Meaning::of).collect();
        let covered = |scope: &&String| match Meaning::of(scope) {
            Some(wanted) => wanted.is_covered_by(&allowed),
            None => granted.0.contains(scope),
        };
        self.0.iter().filter(|scope| !covered(scope)).cloned().collect()
    }

    /// The same in the other spelling: `.read` for `.rs` and the reverse; none if nothing changes.
    pub fn respelled(&self) -> Option<Self> {
        let respell = |scope: &String| match scope.rsplit_once('.') {
            Some((before, "rs")) => format!("{before}.read"),
            Some((before, "read")) => format!("{before}.rs"),
            _ => scope.clone(),
        };
        let other = Self(self.0.iter().map(respell).collect());
        (other != *self).then_some(other)
    }

    /// Whether any scope is of one patient (`patient/…`): an export of a Group or of the system is refused then, or
    /// has this patient alone.
    pub fn is_of_a_patient(&self) -> bool {
        self.iter().any(|scope| scope.starts_with("patient/"))
    }

    /// Whether some scope may allow to read resources. Of scopes that are not SMART's nobody knows here.
    pub fn may_read(&self) -> bool {
        const OTHERS: [&str; 5] = ["openid", "fhirUser", "profile", "offline_access", "online_access"];
        self.iter().any(|scope| match Meaning::of(scope) {
            Some(meaning) if ["system", "user", "patient"].contains(&meaning.context) => {
                meaning.letters.contains('r')
            }
            _ => !OTHERS.contains(&scope) && scope.split('/').next() != Some("launch"),
        })
    }

    /// The resource types that may be read of the system; none if all may.
    pub fn readable_types(&self) -> Option<Vec<String>> {
        let meanings = self.iter().filter_map(Meaning::of);
        let readable: Vec<_> = meanings.filter(|m| m.letters.contains('r') && m.query.is_none()).collect();
        if readable.is_empty() || readable.iter().any(|meaning| meaning.type_ == "*") {
            return None;
        }
        Some(readable.iter().map(|meaning| meaning.type_.to_owned()).collect())
    }

    /// What to ask for when the user has named nothing: to read everything, in the spelling that the server lists.
    pub(crate) fn usual(supported: &[String], capabilities: &[String]) -> Self {
        let lists =
            |end: &str| supported.iter().any(|scope| scope.starts_with("system/") && scope.ends_with(end));
        let only_version_1 = capabilities.iter().any(|name| name == "permission-v1")
            && !capabilities.iter().any(|name| name == "permission-v2");
        let version_2 =
            lists(".rs") || lists(".cruds") || (!lists(".read") && !lists(".*") && !only_version_1);
        Self::parse(if version_2 { "system/*.rs" } else { "system/*.read" })
    }
}

impl<'a> Meaning<'a> {
    fn of(scope: &'a str) -> Option<Self> {
        let (scope, query) = match scope.split_once('?') {
            Some((scope, query)) => (scope, Some(query)),
            None => (scope, None),
        };
        let (context, rest) = scope.split_once('/')?;
        let (type_, access) = rest.rsplit_once('.')?;
        let letters = match access {
            "read" => "rs",
            "write" => "cud",
            "*" => "cruds",
            letters => letters,
        };
        Some(Self { context, type_, letters: letters.to_owned(), query })
    }

    /// Whether each letter is allowed by one of `allowed`.
    fn is_covered_by(&self, allowed: &[Self]) -> bool {
        let covers = |one: &&Self| {
            one.context == self.context
                && (one.type_ == "*" || one.type_ == self.type_)
                && (one.query.is_none() || one.query == self.query)
        };
        self.letters
            .chars()
            .all(|letter| allowed.iter().filter(covers).any(|one| one.letters.contains(letter)))
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn not_in(asked: &str, granted: &str) -> Vec<String> {
        Scopes::parse(asked).not_in(&Scopes::parse(granted))
    }

    #[test]
    fn scopes_that_read_nothing_are_known() {
        for scopes in
            ["", "system/*.cud", "system/Patient.write system/*.s", "openid fhirUser launch/patient"]
        {
            assert!(!Scopes::parse(scopes).may_read(), "{scopes}");
        }
        for scopes in
            ["system/*.cud system/Patient.rs", "system/*.*", "https://fhir.example/.default", "bulk"]
        {
            assert!(Scopes::parse(scopes).may_read(), "{scopes}");
        }
    }

    #[test]
    fn scopes_are_compared_by_meaning_not_by_spelling() {
        assert!(not_in("system/*.rs", "system/*.read").is_empty());
        assert!(not_in("system/*.read", "system/*.rs").is_empty());
        assert!(not_in("system/Patient.read", "system/*.cruds").is_empty());
        assert!(not_in("system/Patient.rs", "system/Patient.r system/Patient.s").is_empty());
        assert_eq!(not_in("system/*.rs", "system/Patient.rs"), ["system/*.rs"]);
        assert_eq!(not_in("system/*.rs offline", "system/*.r"), ["system/*.rs", "offline"]);
        assert_eq!(not_in("system/A.rs", "patient/A.rs"), ["system/A.rs"]);
        assert_eq!(not_in("system/A.rs", "system/A.rs?category=x"), ["system/A.rs"]);
    }

    #[test]
    fn the_usual_scope_follows_what_the_server_lists() {
        let usual = |supported: &[&str], capabilities: &[&str]| {
            let own = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
            Scopes::usual(&own(supported), &own(capabilities)).to_string()
        };
        assert_eq!(usual(&[], &[]), "system/*.rs");
        assert_eq!(usual(&["system/*.read"], &[]), "system/*.read");
        assert_eq!(usual(&["system/*.*"], &[]), "system/*.read");
        assert_eq!(usual(&["system/*.rs", "system/*.read"], &[]), "system/*.rs");
        assert_eq!(usual(&[], &["permission-v1"]), "system/*.read");
        assert_eq!(usual(&[], &["permission-v1", "permission-v2"]), "system/*.rs");
    }

    #[test]
    fn each_spelling_has_the_other() {
        let respelled = |text: &str| Scopes::parse(text).respelled().map(|scopes| scopes.to_string());
        assert_eq!(respelled("system/*.rs x").as_deref(), Some("system/*.read x"));
        assert_eq!(respelled("system/A.read").as_deref(), Some("system/A.rs"));
        assert_eq!(respelled("system/A.cruds"), None);
    }

    #[test]
    fn the_types_that_may_be_read_are_known() {
        let types = |text: &str| Scopes::parse(text).readable_types();
        assert_eq!(types("system/*.rs"), None);
        assert_eq!(
            types("system/Patient.rs system/Group.read"),
            Some(vec!["Patient".into(), "Group".into()])
        );
        assert!(Scopes::parse("patient/*.rs").is_of_a_patient());
    }
}
