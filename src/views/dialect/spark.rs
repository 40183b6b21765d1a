//! Spark and Databricks.
//!
//! One invariant: nothing depends on a session's settings, neither on its time zone (what a clock or a calendar shows is counted
//! from the epoch) nor on whether it is in ANSI mode.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use sqlparser::ast::{AccessExpr, DataType, Expr, Select, Subscript, TimezoneInfo, Value};

use super::patterns::{Pair, pairs, together};
use super::rewrite::Rules;
use super::{Refusal, names, unnest};

/// The dialect.
pub(super) struct Spark;

/// The functions that mean the same.
const SAME: &str = "\
    bool_or coalesce count explode greatest instr lag lead length lower max min nullif posexplode \
    replace row_number split_part substr trim upper";

static PAIRS: LazyLock<Vec<Pair>> = LazyLock::new(|| {
    pairs(&[
        ("array_append($1, $2)", "array_append(coalesce($1, array()), $2)"),
        ("array_any_match($1, $2)", "exists($1, $2)"),
        ("array_filter($1, $2)", "filter($1, $2)"),
        ("array_length($1)", "array_size($1)"),
        ("array_to_string($1, $2)", "array_join($1, $2)"),
        ("array_transform($1, $2)", "transform($1, $2)"),
        // `concat` is NULL where one of its arguments is.
        ("concat($rest)", "concat_ws('', $rest)"),
        // `flatten` is NULL where one of the lists is.
        ("flatten($1)", "flatten(filter($1, list -> list IS NOT NULL))"),
        // What `split` takes is a regular expression.
        ("is_part($1, ',', $2)", "array_contains(split($1, ','), $2)"),
        ("joined_text($1, $2)", "nullif(array_join($1, $2), '')"),
        ("omop_id($1)", "CAST(conv(substr(sha2($1, 256), 1, 16), 16, -10) AS BIGINT) & 9223372036854775807"),
        // `url_decode` makes a space of a plus sign, and fails where two digits do not follow a percent sign.
        (
            "percent_decode($1)",
            "url_decode(regexp_replace(replace($1, '+', '%2B'), '%(?![0-9A-Fa-f]{2})', '%25'))",
        ),
        (
            "preferred_coding($1, $2)",
            "coalesce(get(flatten(transform($2, wanted -> filter($1, candidate -> candidate.system = wanted AND candidate.code IS NOT NULL))), 0), get($1, 0))",
        ),
        ("CAST(NULL AS DATE)", "CAST(NULL AS DATE)"),
        ("CAST($1 AS DATE)", "date_from_unix_date(CAST(floor(unix_seconds($1) / 86400) AS INT))"),
        ("date_from_unix_date($1) - date_from_unix_date($2)", "$1 - $2"),
        ("date_part('epoch', $1)", "CAST($1 AS DOUBLE)"),
        ("date_part('year', $1)", "year(date_from_unix_date(CAST(floor(unix_seconds($1) / 86400) AS INT)))"),
        (
            "date_part('month', $1)",
            "month(date_from_unix_date(CAST(floor(unix_seconds($1) / 86400) AS INT)))",
        ),
        ("date_part('day', $1)", "day(date_from_unix_date(CAST(floor(unix_seconds($1) / 86400) AS INT)))"),
        // A time zone's offset is one of whole seconds.
        ("date_trunc('second', $1)", "date_trunc('second', $1)"),
        ("date_trunc('day', $1)", "timestamp_seconds(floor(unix_seconds($1) / 86400) * 86400)"),
        (
            "to_char($1, '%H:%M:%S')",
            "substr(CAST(timestampadd(MICROSECOND, unix_micros($1), CAST('1970-01-01 00:00:00' AS TIMESTAMP_NTZ)) AS STRING), 12, 8)",
        ),
        // `trunc` is of dates. A cast cuts off.
        ("trunc($1)", "CAST($1 AS BIGINT)"),
    ])
});

/// The reserved words of the ANSI mode.
const RESERVED: &str = "\
    ALL AND ANTI ANY AS AUTHORIZATION BOTH CASE CAST CHECK COLLATE COLUMN CONSTRAINT CREATE CROSS \
    CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP CURRENT_USER DISTINCT ELSE END ESCAPE EXCEPT EXECUTE \
    FALSE FETCH FILTER FOR FOREIGN FROM FULL FUNCTION GRANT GROUP HAVING IN INNER INTERSECT INTO IS JOIN \
    LATERAL LEADING LEFT MINUS NATURAL NOT NULL OFFSET ON ONLY OR ORDER OUTER OVERLAPS PERCENTILE_CONT \
    PRIMARY REFERENCES RIGHT SELECT SEMI SESSION_USER SOME SQL START TABLE THEN TIME TO TRAILING TRUE \
    UNION UNIQUE UNKNOWN USER USING VALUES WHEN WHERE WINDOW WITH WITHIN";

impl Rules for Spark {
    fn same(&self) -> &'static str {
        SAME
    }

    fn pairs(&self) -> &'static [Pair] {
        &PAIRS
    }

    fn reserved(&self) -> &'static str {
        RESERVED
    }

    fn quote(&self) -> char {
        '`'
    }

    fn data_type(&self, ours: &DataType) -> Option<DataType> {
        match ours {
            DataType::Boolean
            | DataType::Int(None)
            | DataType::BigInt(None)
            | DataType::Double(_)
            | DataType::Decimal(_)
            | DataType::String(None)
            | DataType::Date
            | DataType::Timestamp(None, TimezoneInfo::None) => Some(ours.clone()),
            _ => None,
        }
    }

    /// A backslash begins an escape.
    fn escape(&self, text: &str) -> String {
        text.replace('\\', "\\\\")
    }

    fn select(&self, select: &mut Select) -> Result<(), Refusal> {
        unnest::as_lateral_view(select)
    }

    /// `x[1]` is `get(x, 0)`, which is NULL where there is no such item, and fields come after a dot.
    fn access(&self, expr: &mut Expr, relations: &BTreeSet<String>) -> Result<(), Refusal> {
        let Expr::CompoundFieldAccess { root, access_chain } = expr else { return Ok(()) };
        // After a dot, the name of a table would come before that of a column.
        let is_relation =
            matches!(&**root, Expr::Identifier(name) if relations.contains(&name.value.to_lowercase()));
        let mut value = together((**root).clone());
        let mut fields: Vec<AccessExpr> = Vec::new();
        for access in access_chain.drain(..) {
            match constant(&access) {
                Some(Value::SingleQuotedString(name)) if !(is_relation && fields.is_empty()) => {
                    fields.push(AccessExpr::Dot(Expr::Identifier(names::ident(self, name))));
                }
                Some(Value::Number(digits, _)) => {
                    let place: usize =
                        digits.parse().map_err(|_| format!("{digits} is no place in a list"))?;
                    let item = place.checked_sub(1).ok_or("lists count from 1")?;
                    value = get(accessed(value, std::mem::take(&mut fields)), item);
                }
                _ if matches!(&access, AccessExpr::Dot(_)) || constant(&access).is_some() => {
                    fields.push(access)
                }
                _ => return Err(format!("there is no rule for what {access} gives")),
            }
        }
        *expr = accessed(value, fields);
        Ok(())
    }

    /// `[a, b]` is `array(a, b)`.
    fn last(&self, expr: &mut Expr) {
        if let Expr::Array(list) = expr {
            *expr = unnest::call("array", std::mem::take(&mut list.elem));
        }
    }
}

/// What is between the brackets, where it is a constant.
fn constant(access: &AccessExpr) -> Option<&Value> {
    match access {
        AccessExpr::Subscript(Subscript::Index { index: Expr::Value(value) }) => Some(&value.value),
        _ => None,
    }
}

fn accessed(root: Expr, access_chain: Vec<AccessExpr>) -> Expr {
    if access_chain.is_empty() {
        return root;
    }
    Expr::CompoundFieldAccess { root: Box::new(root), access_chain }
}

/// `get(list, place)`.
fn get(list: Expr, place: usize) -> Expr {
    let place = Expr::value(Value::Number(place.to_string(), false));
    unnest::call("get", vec![list, place])
}
