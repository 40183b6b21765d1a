//! A type filter applied to resources here, as far as it is simple: to find out whether the server has applied it.

use chrono::{DateTime, FixedOffset};
use serde_json::Value;
use url::form_urlencoded;

/// A type filter of which at least one part can be judged.
pub(crate) struct LocalFilter {
    pub type_: String,
    /// All have to hold.
    parts: Vec<Part>,
}

enum Part {
    /// The element is one of these tokens, `code` or `system|code`.
    Token { element: &'static str, tokens: Vec<String> },
    /// `meta.lastUpdated` after or before an instant.
    Changed { after: bool, at: DateTime<FixedOffset> },
    /// Something that only a server can judge.
    Unknown,
}

impl LocalFilter {
    /// None if it is no filter.
    pub(crate) fn parse(filter: &str) -> Option<Self> {
        let (type_, query) = filter.split_once('?')?;
        // The pairs of a query, with `+` for a space, as in a search URL.
        let pairs = form_urlencoded::parse(query.as_bytes());
        let parts = pairs.map(|(name, value)| Part::of(&name, &value)).collect();
        Some(Self { type_: type_.to_owned(), parts })
    }

    /// Whether the resource matches; none if that cannot be known here.
    pub(crate) fn matches(&self, resource: &Value) -> Option<bool> {
        let verdicts: Vec<Option<bool>> = self.parts.iter().map(|part| part.matches(resource)).collect();
        if verdicts.contains(&Some(false)) {
            return Some(false);
        }
        if verdicts.contains(&None) { None } else { Some(true) }
    }
}

impl Part {
    fn of(name: &str, value: &str) -> Self {
        let element = match name {
            "_id" => "id",
            "status" => "status",
            "gender" => "gender",
            "code" => "code",
            "category" => "category",
            "_lastUpdated" => return Self::changed(value),
            _ => return Self::Unknown,
        };
        // An escaped comma is part of a value.
        if value.contains('\\') {
            return Self::Unknown;
        }
        Self::Token { element, tokens: value.split(',').map(str::to_owned).collect() }
    }

    fn changed(value: &str) -> Self {
        let Some((prefix, text)) = value.split_at_checked(2) else { return Self::Unknown };
        match (prefix, DateTime::parse_from_rfc3339(text)) {
            ("gt" | "ge" | "sa", Ok(at)) => Self::Changed { after: true, at },
            ("lt" | "le" | "eb", Ok(at)) => Self::Changed { after: false, at },
            _ => Self::Unknown,
        }
    }

    fn matches(&self, resource: &Value) -> Option<bool> {
        match self {
            Self::Unknown => None,
            Self::Token { element, tokens } => {
                let value = &resource[*element];
                // An element of another shape is left to the server.
                has_token(value, tokens).or_else(|| value.is_null().then_some(false))
            }
            Self::Changed { after, at } => {
                let text = resource["meta"]["lastUpdated"].as_str()?;
                let changed = DateTime::parse_from_rfc3339(text).ok()?;
                // The limits themselves are left to the server.
                Some(changed == *at || (changed > *at) == *after)
            }
        }
    }
}

fn has_token(value: &Value, tokens: &[String]) -> Option<bool> {
    match value {
        Value::String(text) => {
            Some(tokens.iter().any(|token| token.rsplit('|').next() == Some(text.as_str())))
        }
        Value::Array(values) => {
            let verdicts: Vec<_> = values.iter().map(|value| has_token(value, tokens)).collect();
            if verdicts.contains(&None) { None } else { Some(verdicts.contains(&Some(true))) }
        }
        Value::Object(concept) => {
            let codings = concept.get("coding")?.as_array()?;
            Some(codings.iter().any(|coding| tokens.iter().any(|token| is_coding(coding, token))))
        }
        _ => None,
    }
}

fn is_coding(coding: &Value, token: &str) -> bool {
    match token.split_once('|') {
        Some((system, "")) => coding["system"] == system,
        Some((system, code)) => {
            coding["code"] == code
                && (coding["system"] == system || (system.is_empty() && coding["system"].is_null()))
        }
        None => coding["code"] == token,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(filter: &str, resource: &str) -> Option<bool> {
        LocalFilter::parse(filter).unwrap().matches(&serde_json::from_str(resource).unwrap())
    }

    #[test]
    fn simple_filters_are_judged_and_others_left_to_the_server() {
        let observation = r#"{"id":"1","status":"final","category":[{"coding":[{"system":"s","code":"lab"}]}],
            "code":{"coding":[{"system":"http://loinc.org","code":"1-8"}]},"meta":{"lastUpdated":"2026-01-01T00:00:00Z"}}"#;
        for (filter, expected) in [
            ("O?status=final", Some(true)),
            ("O?status=amended,final", Some(true)),
            ("O?status=amended", Some(false)),
            ("O?code=1-8", Some(true)),
            ("O?code=http://loinc.org|1-8", Some(true)),
            ("O?code=http%3A%2F%2Floinc.org%7C1-8", Some(true)),
            ("O?code=other|1-8", Some(false)),
            ("O?category=lab&status=final", Some(true)),
            ("O?category=vital", Some(false)),
            ("O?gender=male", Some(false)),
            ("O?_lastUpdated=ge2025-01-01T00:00:00Z", Some(true)),
            ("O?_lastUpdated=lt2025-01-01T00:00:00Z", Some(false)),
            ("O?_lastUpdated=2026", None),
            ("O?date=ge2025-01-01&status=final", None),
            ("O?date=ge2025-01-01&status=amended", Some(false)),
            ("O?code:in=http://x", None),
        ] {
            assert_eq!(matches(filter, observation), expected, "{filter}");
        }
    }
}
