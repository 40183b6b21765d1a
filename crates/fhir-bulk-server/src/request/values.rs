//! The values of single parameters, and how each is refused.

use chrono::{DateTime, Utc};
use fhir_definitions::Definitions;

use crate::clock::parse_instant;
use crate::compartment::local_reference;
use crate::fault::Fault;
use crate::outcome::Outcome;
use crate::request::{Associated, KickOff, Reading};
use crate::search::{Query, split_filters};

/// Types that Oracle Health exports only together with others.
const SUPPORTING: [&str; 4] = ["Location", "Organization", "Practitioner", "Provenance"];

impl KickOff {
    /// Adds the types of one value: a comma separates them, and the parameter may be repeated.
    pub(super) fn read_types(&mut self, value: &str, reading: &Reading<'_>) -> Result<(), Outcome> {
        if self.types.is_some() {
            if (reading.strikes)(Fault::RefuseRepeatedType) {
                return Err(refused("_type may not be repeated"));
            }
            if (reading.strikes)(Fault::FirstTypeOnly) {
                return Ok(());
            }
        }
        if value.contains(',') && (reading.strikes)(Fault::RefuseComma) {
            return Err(comma("_type"));
        }
        if value.split(',').any(|name| name == "Binary") && (reading.strikes)(Fault::RefuseBinaryType) {
            return Err(refused("_type: Binary is not exported"));
        }
        let types = self.types.get_or_insert_default();
        let definitions = Definitions::r4();
        let (known, unknown): (Vec<&str>, Vec<&str>) =
            value.split(',').partition(|name| definitions.is_resource(name));
        types.extend(known.into_iter().map(str::to_owned));
        match unknown.first() {
            Some(name) if !(reading.strikes)(Fault::IgnoreUnknownType) => {
                Err(Outcome::bad_request("value", format!("_type: {name} is no FHIR R4 resource type")))
            }
            _ => Ok(()),
        }
    }

    /// Types that are no patient's own, without one that is.
    pub(super) fn refuse_supporting(&self, reading: &Reading<'_>) -> Result<(), Outcome> {
        let alone = self
            .types
            .as_ref()
            .is_some_and(|types| types.iter().all(|name| SUPPORTING.contains(&name.as_str())));
        if alone && (reading.strikes)(Fault::RefuseSupportingAlone) {
            return Err(refused("_type: these types come only with a clinical one"));
        }
        Ok(())
    }

    /// Adds the queries of one value; all of them or, if one is not understood, none.
    pub(super) fn read_filters(&mut self, value: &str, reading: &Reading<'_>) -> Result<(), Outcome> {
        let texts = split_filters(value);
        if texts.len() > 1 && (reading.strikes)(Fault::RefuseJoinedFilter) {
            return Err(comma("_typeFilter"));
        }
        let bare = |text: &&str| text.replace("\\,", "").contains(',');
        if texts.iter().any(bare) && (reading.strikes)(Fault::RefuseBareComma) {
            return Err(refused(
                "_typeFilter: a comma inside of a query is written %2C, escaped once more in a URL",
            ));
        }
        let queries = texts.into_iter().map(Query::parse).collect::<Result<Vec<_>, _>>()?;
        for query in queries {
            if !Definitions::r4().is_resource(&query.resource_type) {
                let text = format!("_typeFilter: {} is no FHIR R4 resource type", query.resource_type);
                return Err(Outcome::bad_request("value", text));
            }
            let filters = self.filters.entry(query.resource_type.clone()).or_default();
            if !filters.is_empty() && (reading.strikes)(Fault::RefuseRepeatedFilter) {
                return Err(refused("_typeFilter: one filter per type"));
            }
            if !filters.is_empty() && (reading.strikes)(Fault::FirstFilterOnly) {
                continue;
            }
            filters.push(query);
        }
        Ok(())
    }

    pub(super) fn read_patients(&mut self, value: &str, reading: &Reading<'_>) -> Result<(), Outcome> {
        if !reading.post {
            return Err(refused("patient is a parameter of POST alone"));
        }
        match local_reference(value) {
            Some(("Patient", id)) => {
                self.patients.get_or_insert_default().insert(id.to_owned());
                Ok(())
            }
            _ => Err(Outcome::bad_request("value", "patient: the reference is not of the form Patient/id")),
        }
    }

    pub(super) fn read_associated(&mut self, code: &str) -> Result<(), Outcome> {
        let associated = match code {
            "LatestProvenanceResources" => Associated::LatestProvenance,
            "RelevantProvenanceResources" => Associated::RelevantProvenance,
            _ => return Err(refused("includeAssociatedData: the value is not supported")),
        };
        self.associated = self.associated.max(Some(associated));
        Ok(())
    }
}

pub(super) fn instant(name: &str, value: &str) -> Result<DateTime<Utc>, Outcome> {
    parse_instant(value).ok_or_else(|| {
        let text = format!("{name} is no instant; a + in its zone is written %2B in a URL");
        Outcome::bad_request("value", text)
    })
}

pub(super) fn flag(flag: &mut bool, value: &str) -> Result<(), Outcome> {
    *flag = match value {
        "true" => true,
        "false" => false,
        _ => return Err(Outcome::bad_request("value", "the value is neither true nor false")),
    };
    Ok(())
}

pub(super) fn not_supported(name: &str) -> Outcome {
    refused(format!("the parameter {name} is not supported"))
}

pub(super) fn comma(name: &str) -> Outcome {
    Outcome::bad_request(
        "value",
        format!("{name}: values are not joined by a comma, the parameter is repeated"),
    )
}

pub(super) fn refused(diagnostics: impl Into<String>) -> Outcome {
    Outcome::bad_request("not-supported", diagnostics)
}
