//! When a fault strikes: always, or for some requests.

use std::fmt::{Display, Formatter};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::fault::Fault;

/// A fault and the requests that it strikes. As text, `poll-429` strikes always and `poll-429*2` the first two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// What the server does.
    pub fault: Fault,
    /// How many of the requests that it is about are left alone first.
    #[serde(default)]
    pub after: u32,
    /// How many it strikes then; `None` strikes all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// Only requests are struck whose path and query contain this text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<String>,
}

impl Rule {
    /// Strikes every request that the fault is about.
    #[must_use]
    pub fn new(fault: Fault) -> Rule {
        Rule { fault, after: 0, times: None, only: None }
    }

    /// Strikes so many requests and no more.
    #[must_use]
    pub fn times(self, times: u32) -> Rule {
        Rule { times: Some(times), ..self }
    }

    /// Leaves so many requests alone before.
    #[must_use]
    pub fn after(self, after: u32) -> Rule {
        Rule { after, ..self }
    }

    /// Strikes only requests whose path and query contain this text.
    #[must_use]
    pub fn only(self, text: impl Into<String>) -> Rule {
        Rule { only: Some(text.into()), ..self }
    }

    pub(crate) fn matches(&self, uri: &str) -> bool {
        self.only.as_ref().is_none_or(|text| uri.contains(text))
    }

    /// Whether the request after `seen` matching ones is struck.
    pub(crate) fn strikes(&self, seen: u32) -> bool {
        seen >= self.after && self.times.is_none_or(|times| seen - self.after < times)
    }
}

impl From<Fault> for Rule {
    fn from(fault: Fault) -> Rule {
        Rule::new(fault)
    }
}

impl FromStr for Rule {
    type Err = ParseFaultError;

    fn from_str(text: &str) -> Result<Rule, ParseFaultError> {
        let Some((name, times)) = text.split_once('*') else { return Ok(Rule::new(text.parse()?)) };
        let times = times.parse().map_err(|_| ParseFaultError::Times(text.to_owned()))?;
        Ok(Rule::new(name.parse()?).times(times))
    }
}

/// Why a text is no fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseFaultError {
    /// Neither a fault nor a server has this name.
    #[error("there is no fault or server of the name {0}")]
    Name(String),
    /// What follows `*` is no number.
    #[error("{0}: after * stands how many requests the fault strikes")]
    Times(String),
}

impl FromStr for Fault {
    type Err = ParseFaultError;

    fn from_str(name: &str) -> Result<Fault, ParseFaultError> {
        let found = Fault::ALL.iter().find(|fault| fault.name() == name);
        found.copied().ok_or_else(|| ParseFaultError::Name(name.to_owned()))
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Fault {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Fault {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Fault, D::Error> {
        let name = String::deserialize(deserializer)?;
        name.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_found_by_its_name_and_names_are_unique() {
        for fault in Fault::ALL {
            assert_eq!(fault.name().parse(), Ok(*fault));
            assert!(!fault.source().is_empty() && !fault.description().is_empty());
        }
        assert_eq!("poll-430".parse::<Fault>(), Err(ParseFaultError::Name("poll-430".to_owned())));
    }

    #[test]
    fn a_rule_is_plain_data() {
        let rule: Rule = serde_json::from_str(r#"{"fault":"file-cut","times":1,"only":"Patient"}"#).unwrap();
        assert_eq!(rule, Rule::new(Fault::FileCut).times(1).only("Patient"));
        assert_eq!("poll-429*2".parse(), Ok(Rule::new(Fault::Poll429).times(2)));
        assert!(matches!("poll-429*x".parse::<Rule>(), Err(ParseFaultError::Times(_))));
    }

    #[test]
    fn a_rule_strikes_a_window_of_requests() {
        let rule = Rule::new(Fault::Poll429).after(1).times(2);
        let struck: Vec<bool> = (0..4).map(|seen| rule.strikes(seen)).collect();
        assert_eq!(struck, [false, true, true, false]);
    }
}
