//! The header of an SQL file: comments of `key: value` before the statement.

/// The value of a key; `None` where the header does not have it.
pub(super) fn value(sql: &str, key: &str) -> Option<String> {
    let mut lines = sql.lines().map_while(|line| line.strip_prefix("--"));
    let value = lines.find_map(|line| line.trim_start().strip_prefix(key)?.strip_prefix(':'));
    value.map(|value| value.trim().to_owned())
}

/// The values of a key that are separated by commas.
pub(super) fn list(sql: &str, key: &str) -> Option<Vec<String>> {
    Some(value(sql, key)?.split(',').map(|item| item.trim().to_owned()).collect())
}

/// What stands below the header.
pub(super) fn statement(sql: &str) -> &str {
    let header: usize =
        sql.split_inclusive('\n').take_while(|line| line.starts_with("--")).map(str::len).sum();
    &sql[header..]
}

/// The lines below `columns:`.
pub(super) fn columns(sql: &str) -> impl Iterator<Item = &str> {
    let lines = sql.lines().map_while(|line| line.strip_prefix("--"));
    lines.skip_while(|line| line.trim() != "columns:").skip(1)
}
