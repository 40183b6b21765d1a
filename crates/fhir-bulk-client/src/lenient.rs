//! Values as servers write them: booleans and numbers have been seen as strings, numbers with a fraction of zero.

use serde::de::{self, Deserialize, Deserializer};

/// An array; `null` is an empty one.
pub(crate) fn null_is_empty<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A boolean, also as a string; none if it is `null`.
pub(crate) fn boolean<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    #[derive(serde::Deserialize)]
    #[serde(untagged, expecting = "requiresAccessToken is neither true nor false")]
    enum Written {
        Bool(bool),
        Text(String),
    }
    match Option::deserialize(deserializer)? {
        None => Ok(None),
        Some(Written::Bool(value)) => Ok(Some(value)),
        Some(Written::Text(text)) => text.trim().to_ascii_lowercase().parse().map(Some).map_err(|_| {
            de::Error::custom(format_args!("requiresAccessToken is {text:?}, not true or false"))
        }),
    }
}

/// A whole number that is not negative, also as a string; none if it is `null`.
pub(crate) fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    #[derive(serde::Deserialize)]
    #[serde(untagged, expecting = "a count or size is no whole number")]
    enum Written {
        Number(u64),
        Text(String),
    }
    match Option::deserialize(deserializer)? {
        None => Ok(None),
        Some(Written::Number(count)) => Ok(Some(count)),
        Some(Written::Text(text)) => text
            .trim()
            .parse()
            .map(Some)
            .map_err(|_| de::Error::custom(format_args!("{text:?} is not a number of things"))),
    }
}

/// A number of seconds, also as a string or with a fraction; none if it is `null` or nothing of the kind.
pub(crate) fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let value: Option<serde_json::Value> = Option::deserialize(deserializer)?;
    Ok(value.and_then(|value| match value {
        // A cast of floats ends at the type's limits.
        serde_json::Value::Number(number) => number.as_u64().or_else(|| number.as_f64().map(|n| n as u64)),
        serde_json::Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }))
}
