//! What a server says in an [OperationOutcome](https://hl7.org/fhir/R4/operationoutcome.html), for errors and for
//! telling a fault that passes from one that stays.

use serde::Deserialize;

/// The longest text of a server that is kept, in characters.
const MAX_TEXT: usize = 500;

/// The issues of an OperationOutcome, as far as errors need them.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct OperationOutcome {
    #[serde(default)]
    issue: Vec<Issue>,
}

#[derive(Clone, Debug, Deserialize)]
struct Issue {
    #[serde(default)]
    severity: Option<String>,
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    details: Option<Details>,
    #[serde(default)]
    diagnostics: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
struct Details {
    #[serde(default)]
    text: Option<String>,
}

impl OperationOutcome {
    /// The OperationOutcome in `body`, or none if `body` is anything else: a proxy's page, an empty body.
    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Head {
            #[serde(rename = "resourceType")]
            resource_type: String,
        }
        let head: Head = serde_json::from_slice(body).ok()?;
        if head.resource_type != "OperationOutcome" {
            return None;
        }
        serde_json::from_slice(body).ok()
    }

    /// The issues in the server's own words, on one line and cut to a length that fits an error.
    pub(crate) fn text(&self) -> String {
        one_line(&self.words())
    }

    /// The issues in the server's own words, as long as they are.
    pub(crate) fn words(&self) -> String {
        let issues: Vec<String> = self.issue.iter().map(Issue::text).collect();
        issues.join("; ")
    }

    /// The severity of each issue.
    pub(crate) fn severities(&self) -> impl Iterator<Item = &str> {
        self.issue.iter().map(|issue| issue.severity.as_deref().unwrap_or("unknown"))
    }

    /// Whether any issue has one of these codes.
    pub(crate) fn has_code(&self, codes: &[&str]) -> bool {
        self.issue.iter().any(|issue| issue.code.as_deref().is_some_and(|code| codes.contains(&code)))
    }

    /// Whether any issue's code is `transient` or one of the codes below it in the
    /// [hierarchy of issue types](https://hl7.org/fhir/R4/valueset-issue-type.html).
    pub(crate) fn is_transient(&self) -> bool {
        const TRANSIENT: [&str; 7] =
            ["transient", "lock-error", "no-store", "exception", "timeout", "incomplete", "throttled"];
        self.has_code(&TRANSIENT)
    }
}

impl Issue {
    fn text(&self) -> String {
        let details = self.details.as_ref().and_then(|details| details.text.as_deref());
        let words = match (details, self.diagnostics.as_deref()) {
            (Some(details), Some(diagnostics)) if details != diagnostics => {
                format!("{details}: {diagnostics}")
            }
            (Some(words), _) | (None, Some(words)) => words.to_owned(),
            (None, None) => "no details".to_owned(),
        };
        let severity = self.severity.as_deref().unwrap_or("issue");
        match self.code.as_deref() {
            Some(code) => format!("{severity} {code}: {words}"),
            None => format!("{severity}: {words}"),
        }
    }
}

/// `text` of a server on one line, without control characters, cut to [`MAX_TEXT`] characters.
///
/// A server's words go to terminals and logs, where a line end or an escape sequence could pretend to be ours.
pub(crate) fn one_line(text: &str) -> String {
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()).collect();
    let line = words.join(" ");
    match line.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issues_are_told_in_the_servers_words() {
        let body = br#"{"resourceType":"OperationOutcome","issue":[
            {"severity":"error","code":"not-found","diagnostics":"Job instance <8b> was already\n cancelled"},
            {"severity":"warning","details":{"text":"Forbidden"},"diagnostics":"insufficient scope"},
            {"severity":"information","code":"informational"}]}"#;
        let outcome = OperationOutcome::parse(body).unwrap();
        assert_eq!(
            outcome.text(),
            "error not-found: Job instance <8b> was already cancelled; warning: Forbidden: insufficient scope; \
             information informational: no details"
        );
        assert!(!outcome.is_transient());
    }

    #[test]
    fn what_is_no_operation_outcome_is_none() {
        for body in [
            "",
            "<html>",
            "{}",
            r#"{"resourceType":"Bundle"}"#,
            r#"{"resourceType":"OperationOutcome","issue":7}"#,
        ] {
            assert!(OperationOutcome::parse(body.as_bytes()).is_none(), "{body}");
        }
    }

    #[test]
    fn codes_below_transient_are_transient() {
        let with = |code: &str| {
            let body = format!(
                r#"{{"resourceType":"OperationOutcome","issue":[{{"severity":"error","code":"{code}"}}]}}"#
            );
            OperationOutcome::parse(body.as_bytes()).unwrap().is_transient()
        };
        assert!(with("transient") && with("throttled") && with("lock-error"));
        assert!(!with("processing") && !with("not-found"));
    }

    #[test]
    fn long_or_hostile_text_is_made_harmless() {
        assert_eq!(one_line("a\u{1b}[31m\r\nb"), "a [31m b");
        let long = one_line(&"é".repeat(600));
        assert_eq!(long.chars().count(), 501);
        assert!(long.ends_with('…'));
    }
}
