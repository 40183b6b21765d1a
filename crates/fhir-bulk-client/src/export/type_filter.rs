//! What may stand in `_typeFilter`
//! ([specification](https://hl7.org/fhir/uv/bulkdata/export.html#_typefilter-query-parameter)): a search in one
//! resource type, without what changes the form of a search's result.

use crate::error::{Error, ErrorKind};

/// Parameters that shape a result instead of choosing resources: not allowed here.
const RESULT_PARAMETERS: [&str; 15] = [
    "_include",
    "_revinclude",
    "_sort",
    "_count",
    "_summary",
    "_elements",
    "_total",
    "_contained",
    "_containedType",
    "_maxresults",
    "_format",
    "_pretty",
    "_score",
    "_graph",
    "_type",
];

/// The type of a filter like `Observation?category=laboratory`.
///
/// # Errors
/// [`ErrorKind::Config`] for what is no search in one type, or shapes its result.
pub(crate) fn type_of(filter: &str) -> Result<&str, Error> {
    let refused = |why: &str| {
        Error::new(ErrorKind::Config, format!("the type filter {filter:?} {why}"))
            .with_hint("write it like Observation?category=laboratory")
    };
    let (name, query) = filter.split_once('?').ok_or_else(|| refused("has no `?` after a resource type"))?;
    if !super::request::is_type_name(name) {
        return Err(refused("does not begin with a resource type"));
    }
    if query.is_empty() || filter.contains('#') || query.contains('?') {
        return Err(refused("has no search after the type"));
    }
    for pair in query.split('&') {
        let Some((parameter, value)) = pair.split_once('=') else {
            return Err(refused("has a parameter without a value"));
        };
        let bare = parameter.split(':').next().unwrap_or(parameter);
        if bare.is_empty() || value.is_empty() {
            return Err(refused("has a parameter without a value"));
        }
        if RESULT_PARAMETERS.contains(&bare) {
            return Err(refused(&format!("has {bare}, which is about a result's form")));
        }
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_in_one_type_is_a_filter() {
        for filter in [
            "MedicationRequest?status=completed&date=gt2018-07-01T00:00:00Z",
            "Observation?code=http://loinc.org|1-8,http://loinc.org|2-6",
            "Condition?code:in=http://example.org/vs",
            "Observation?_lastUpdated=ge2024-01-01",
        ] {
            assert!(type_of(filter).is_ok(), "{filter}");
        }
    }

    #[test]
    fn anything_else_is_refused_before_it_is_sent() {
        for filter in [
            "",
            "Observation",
            "Observation?",
            "?code=x",
            "status=active",
            "Patient/1/Observation?code=x",
            "Observation?code",
            "Observation?code=",
            "Observation?_include=Observation:subject",
            "Observation?_sort=date",
            "Observation?_summary=count",
            "Observation?_elements=id",
            "A?x=1?y=2",
        ] {
            assert_eq!(type_of(filter).unwrap_err().kind(), ErrorKind::Config, "{filter}");
        }
    }
}
