//! Servers that deviate from the specification: what a client has to do otherwise, as flags, and which flags each
//! known server has. `README.md` beside this file says where each was observed.

mod epic;
mod hapi;
mod helios;
mod linuxforhealth;
mod medplum;
mod microsoft;
mod oracle;

/// What a client does otherwise than the specification says. Each flag has a test that fails without it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quirks {
    /// Of a parameter that is repeated the server reads the first alone, silently: values are joined by commas in every
    /// dialect.
    pub first_of_repeated_only: bool,
    /// Type filters that are joined by commas are refused, or misread: they are repeated in every dialect.
    pub type_filters_are_repeated: bool,
    /// A second type filter for the same type is refused, or not applied: the request is refused before it is sent.
    pub one_type_filter_per_type: bool,
    /// The server exports Groups alone: other levels are refused before they are sent.
    pub groups_only: bool,
    /// Parameters that the server refuses: so are they, before they are sent.
    pub refused_parameters: &'static [&'static str],
    /// Parameters that the server ignores: the kick-off warns of them.
    pub ignored_parameters: &'static [&'static str],
    /// … at the level of a Group.
    pub ignored_parameters_of_groups: &'static [&'static str],
    /// The name of a header that has to carry the client's id.
    pub client_id_header: Option<&'static str>,
    /// A job blocks the next one until it is deleted, also when it has finished: a kick-off that is refused then is
    /// told apart from one that has to wait.
    pub job_blocks_until_deleted: bool,
    /// Identical kick-offs share a job unless a new one is asked for by `Cache-Control: no-cache`.
    pub asks_for_a_new_job: bool,
    /// A status 500 does not say whether the job has failed: it is borne like one that may pass.
    pub status_500_may_pass: bool,
    /// The manifest's counts are known to be wrong: a file with fewer lines is no error.
    pub counts_are_wrong: bool,
    /// An empty Group exports all patients: the Group is read first, and an empty one refused.
    pub empty_group_exports_everyone: bool,
    /// The server never reports what was deleted: a kick-off with `_since` warns that only an export of everything finds
    /// it.
    pub never_reports_deletions: bool,
}

/// Servers whose deviations are known, with how they name themselves in `CapabilityStatement.software`.
const KNOWN: [(&str, &str, &Quirks); 8] = [
    ("hapi", "hapi fhir", &Quirks::HAPI),
    ("helios", "helios", &Quirks::HELIOS),
    ("epic", "epic", &Quirks::EPIC),
    ("oracle", "cerner", &Quirks::ORACLE_HEALTH),
    ("oracle", "oracle health", &Quirks::ORACLE_HEALTH),
    ("microsoft", "microsoft fhir", &Quirks::MICROSOFT),
    ("linuxforhealth", "linuxforhealth", &Quirks::LINUX_FOR_HEALTH),
    ("medplum", "medplum", &Quirks::MEDPLUM),
];

impl Quirks {
    /// The flags of a server by its name in this crate: `hapi`, `helios`, `epic`, `oracle`, `microsoft`,
    /// `linuxforhealth` or `medplum`.
    pub fn named(name: &str) -> Option<Self> {
        KNOWN.iter().find(|(known, ..)| *known == name).map(|(.., quirks)| (*quirks).clone())
    }

    /// The server that names its software so, and its flags.
    pub(crate) fn of_software(software: &str) -> Option<(&'static str, Self)> {
        let software = software.to_ascii_lowercase();
        let known = KNOWN.iter().find(|(_, word, _)| software.contains(word));
        known.map(|(name, _, quirks)| (*name, (*quirks).clone()))
    }

    /// The flags that are set, by their names.
    pub fn names(&self) -> Vec<&'static str> {
        let set = [
            ("first_of_repeated_only", self.first_of_repeated_only),
            ("type_filters_are_repeated", self.type_filters_are_repeated),
            ("one_type_filter_per_type", self.one_type_filter_per_type),
            ("groups_only", self.groups_only),
            ("refused_parameters", !self.refused_parameters.is_empty()),
            ("ignored_parameters", !self.ignored_parameters.is_empty()),
            ("ignored_parameters_of_groups", !self.ignored_parameters_of_groups.is_empty()),
            ("client_id_header", self.client_id_header.is_some()),
            ("job_blocks_until_deleted", self.job_blocks_until_deleted),
            ("asks_for_a_new_job", self.asks_for_a_new_job),
            ("status_500_may_pass", self.status_500_may_pass),
            ("counts_are_wrong", self.counts_are_wrong),
            ("empty_group_exports_everyone", self.empty_group_exports_everyone),
            ("never_reports_deletions", self.never_reports_deletions),
        ];
        set.into_iter().filter_map(|(name, set)| set.then_some(name)).collect()
    }

    /// No deviation.
    pub const NONE: Self = Self {
        first_of_repeated_only: false,
        type_filters_are_repeated: false,
        one_type_filter_per_type: false,
        groups_only: false,
        refused_parameters: &[],
        ignored_parameters: &[],
        ignored_parameters_of_groups: &[],
        client_id_header: None,
        job_blocks_until_deleted: false,
        asks_for_a_new_job: false,
        status_500_may_pass: false,
        counts_are_wrong: false,
        empty_group_exports_everyone: false,
        never_reports_deletions: false,
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_known_by_what_they_call_themselves() {
        let name = |software: &str| Quirks::of_software(software).map(|(name, _)| name);
        assert_eq!(name("HAPI FHIR Server 8.8.0"), Some("hapi"));
        assert_eq!(name("Epic August 2026"), Some("epic"));
        assert_eq!(name("fhir-bulk-server 0.1.0"), None);
        assert_eq!(Quirks::named("hapi"), Some(Quirks::HAPI));
        assert_eq!(Quirks::NONE, Quirks::default());
    }
}
