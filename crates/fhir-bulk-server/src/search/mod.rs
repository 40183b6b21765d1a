//! Searches of one type: what `_typeFilter` and `GET [base]/{Type}` ask for.
//!
//! Specification: FHIR R4 `search.html`, of which token, date, string and reference parameters are here, and Bulk Data
//! 3.0.0, `_typeFilter`. A parameter that is not known is refused, never ignored.

mod date;
mod matching;
mod parameter;

use serde_json::Value;
use url::form_urlencoded;

use crate::outcome::Outcome;
use matching::matches;
use parameter::{Kind, Parameter};

/// A search of one type: all its criteria hold.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    pub(crate) resource_type: String,
    criteria: Vec<Criterion>,
}

/// One parameter: one of its values matches.
#[derive(Debug, Clone)]
struct Criterion {
    parameter: Parameter,
    values: Vec<String>,
    /// The modifier `:not`.
    negated: bool,
}

impl Query {
    /// Reads `Type?name=value&…`, the inner part percent-encoded.
    pub(crate) fn parse(text: &str) -> Result<Query, Outcome> {
        let (resource_type, query) = text
            .split_once('?')
            .ok_or_else(|| refused(format!("_typeFilter: {text} is not of the form Type?parameter=value")))?;
        // A + is a space in a form but an offset in a date, and this text was once decoded already.
        let query = query.replace('+', "%2B");
        Query::of(resource_type, form_urlencoded::parse(query.as_bytes()))
    }

    /// Reads decoded parameters.
    pub(crate) fn of<'a, N: AsRef<str> + 'a, V: AsRef<str> + 'a>(
        resource_type: &str,
        parameters: impl Iterator<Item = (N, V)>,
    ) -> Result<Query, Outcome> {
        let criteria =
            parameters.map(|(name, value)| criterion(resource_type, name.as_ref(), value.as_ref()));
        Ok(Query { resource_type: resource_type.to_owned(), criteria: criteria.collect::<Result<_, _>>()? })
    }

    /// Whether the query finds every resource of its type.
    pub(crate) fn is_unconditional(&self) -> bool {
        self.criteria.is_empty()
    }

    /// Whether a resource of the query's type is found.
    pub(crate) fn finds(&self, resource: &Value) -> bool {
        self.criteria.iter().all(|criterion| {
            let found = criterion.values.iter().any(|value| matches(&criterion.parameter, value, resource));
            found != criterion.negated
        })
    }
}

fn criterion(resource_type: &str, name: &str, value: &str) -> Result<Criterion, Outcome> {
    let (code, modifier) =
        name.split_once(':').map_or((name, None), |(code, modifier)| (code, Some(modifier)));
    let parameter = parameter::find(resource_type, code)
        .ok_or_else(|| refused(format!("{resource_type} has no search parameter {code} here")))?;
    let negated = match modifier {
        None => false,
        Some("not") if parameter.kind == Kind::Token => true,
        Some(modifier) => return Err(refused(format!("the modifier {modifier} of {code} is not supported"))),
    };
    let values = split_unescaped(value);
    if parameter.kind == Kind::Date && !values.iter().all(|value| date::Condition::parse(value).is_some()) {
        return Err(Outcome::bad_request("value", format!("{code}: {value} is no date")));
    }
    Ok(Criterion { parameter, values, negated })
}

fn refused(diagnostics: String) -> Outcome {
    Outcome::bad_request("not-supported", diagnostics)
}

/// The parts between commas; a comma behind a backslash is part of a value.
fn split_unescaped(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => extend(&mut parts, characters.next()),
            ',' => parts.push(String::new()),
            other => extend(&mut parts, Some(other)),
        }
    }
    parts
}

fn extend(parts: &mut [String], character: Option<char>) {
    if let Some(part) = parts.last_mut() {
        part.extend(character);
    }
}

/// The queries of one `_typeFilter` value. A comma separates queries where a type and `?` follow; any other comma
/// separates the values of a parameter.
pub(crate) fn split_filters(value: &str) -> Vec<&str> {
    let mut filters = Vec::new();
    let mut start = 0;
    for (comma, _) in value.match_indices(',') {
        let name = value[comma + 1..].split('?').next().unwrap_or("");
        let is_type = name.len() < value.len() - comma - 1 && name.chars().all(|c| c.is_ascii_alphabetic());
        if is_type && name.starts_with(|first: char| first.is_ascii_uppercase()) {
            filters.push(&value[start..comma]);
            start = comma + 1;
        }
    }
    filters.push(&value[start..]);
    filters
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_comma_before_a_type_separates_filters_and_no_other_does() {
        let text = "Observation?code=a,b,Condition?code=c&category=x%2Cy";
        assert_eq!(split_filters(text), ["Observation?code=a,b", "Condition?code=c&category=x%2Cy"]);
    }

    #[test]
    fn an_escaped_comma_belongs_to_the_value() {
        assert_eq!(split_unescaped(r"a\,b,c"), ["a,b", "c"]);
    }

    #[test]
    fn all_criteria_hold_and_one_value_of_each_is_enough() {
        let observation = json!({"status": "final", "code": {"coding": [{"system": "s", "code": "c"}]}});
        for (query, found) in [
            ("Observation?status=final,amended", true),
            ("Observation?status=amended", false),
            ("Observation?status:not=amended&code=s%7Cc", true),
            ("Observation?status=final&code=t|c", false),
        ] {
            assert_eq!(Query::parse(query).unwrap().finds(&observation), found, "{query}");
        }
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for query in
            ["Observation", "Observation?bogus=1", "Observation?_sort=date", "Observation?date=yesterday"]
        {
            assert!(Query::parse(query).is_err(), "{query}");
        }
    }
}
