//! Scopes of system level, in the words of SMART 1 (`.read`) and SMART 2 (`.rs`).

use std::collections::BTreeSet;

/// What was granted of what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Granted {
    /// The scopes, as the answer names them.
    pub(crate) scope: String,
    /// The types that may be read; `None` is all of them.
    pub(crate) types: Option<BTreeSet<String>>,
}

/// What of the scopes may be granted. `allowed` are the types that the client may read, empty for all;
/// `understood` says of a permission (`read`, `rs`) whether this server knows it. `None` if nothing is left.
pub(crate) fn grant(asked: &str, allowed: &[String], understood: impl Fn(&str) -> bool) -> Option<Granted> {
    let (mut scopes, mut types, mut everything) = (Vec::new(), BTreeSet::new(), false);
    for (name, permission) in asked.split_ascii_whitespace().filter_map(read) {
        if !understood(permission) {
            continue;
        }
        let names: Vec<&str> = match (name, allowed) {
            ("*", []) => vec!["*"],
            ("*", allowed) => allowed.iter().map(String::as_str).collect(),
            (name, allowed) if allowed.is_empty() || allowed.iter().any(|allowed| allowed == name) => {
                vec![name]
            }
            _ => Vec::new(),
        };
        for name in names {
            scopes.push(format!("system/{name}.{permission}"));
            everything |= name == "*";
            types.insert(name.to_owned());
        }
    }
    (!scopes.is_empty()).then(|| Granted { scope: scopes.join(" "), types: (!everything).then_some(types) })
}

/// Type and permission of a scope that allows to read. `rs`, and longer ones in the order `cruds`, all do.
fn read(scope: &str) -> Option<(&str, &str)> {
    let (name, permission) = scope.strip_prefix("system/")?.split_once('.')?;
    let permission = permission.split('?').next()?;
    let reads = match permission {
        "read" | "*" => true,
        other => other.contains('r') && other.contains('s') && is_ordered(other),
    };
    (reads && !name.is_empty()).then_some((name, permission))
}

fn is_ordered(permission: &str) -> bool {
    let places: Vec<Option<usize>> = permission.chars().map(|letter| "cruds".find(letter)).collect();
    places.iter().all(Option::is_some) && places.is_sorted_by(|a, b| a < b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_of_scopes_are_read() {
        for scope in ["system/*.read", "system/*.rs", "system/*.cruds", "system/*.*"] {
            assert_eq!(grant(scope, &[], |_| true).unwrap().types, None, "{scope}");
        }
        for scope in ["system/*.sr", "system/*.write", "patient/*.rs", "system/*", "openid", ""] {
            assert_eq!(grant(scope, &[], |_| true), None, "{scope}");
        }
    }

    #[test]
    fn a_limited_client_is_granted_less_than_it_asks_for() {
        let granted = grant("system/*.rs", &["Patient".to_owned()], |_| true).unwrap();
        assert_eq!(granted.scope, "system/Patient.rs");
        assert_eq!(granted.types, Some(BTreeSet::from(["Patient".to_owned()])));
        assert_eq!(grant("system/Observation.rs", &["Patient".to_owned()], |_| true), None);
    }
}
