//! DuckDB.
//!
//! One invariant: nothing depends on a session's time zone: what a clock or a calendar shows is asked in UTC.

use std::sync::LazyLock;

use sqlparser::ast::{DataType, Expr, JoinOperator, LambdaSyntax, TimezoneInfo};

use super::patterns::{Pair, pairs};
use super::rewrite::Rules;

/// The dialect.
pub(super) struct DuckDb;

/// The functions that mean the same.
const SAME: &str = "\
    bool_or coalesce concat count flatten generate_series greatest instr lag lead length lower max min \
    nullif replace row_number split_part substr trim trunc unnest upper";

static PAIRS: LazyLock<Vec<Pair>> = LazyLock::new(|| {
    pairs(&[
        ("array_append($1, $2)", "list_append($1, $2)"),
        // True where one is true, else unknown where one is unknown.
        (
            "array_any_match($1, $2)",
            "list_reduce(list_transform($1, $2), (found, next) -> found OR next, false)",
        ),
        ("array_filter($1, $2)", "list_filter($1, $2)"),
        ("array_length($1)", "len($1)"),
        (
            "array_to_string($1, $2)",
            "coalesce(array_to_string($1, $2), CASE WHEN $1 IS NOT NULL THEN '' END)",
        ),
        ("array_transform($1, $2)", "list_transform($1, $2)"),
        ("is_part($1, $2, $3)", "list_contains(string_split($1, $2), $3)"),
        ("joined_text($1, $2)", "nullif(array_to_string($1, $2), '')"),
        (
            "omop_id($1)",
            "CAST(CAST('0x' || substr(sha256($1), 1, 16) AS UBIGINT) & 9223372036854775807 AS BIGINT)",
        ),
        ("percent_decode($1)", "coalesce(try(url_decode(replace($1, '+', '%2B'))), $1)"),
        (
            "preferred_coding($1, $2)",
            "coalesce(flatten(list_transform($2, wanted -> list_filter($1, candidate -> candidate['system'] = wanted AND candidate['code'] IS NOT NULL)))[1], $1[1])",
        ),
        ("CAST(NULL AS DATE)", "CAST(NULL AS DATE)"),
        ("CAST($1 AS DATE)", "CAST(timezone('UTC', $1) AS DATE)"),
        ("date_part('epoch', $1)", "epoch($1)"),
        ("date_part('year', $1)", "date_part('year', timezone('UTC', $1))"),
        ("date_part('month', $1)", "date_part('month', timezone('UTC', $1))"),
        ("date_part('day', $1)", "date_part('day', timezone('UTC', $1))"),
        // A time zone's offset is one of whole seconds.
        ("date_trunc('second', $1)", "date_trunc('second', $1)"),
        ("date_trunc('day', $1)", "timezone('UTC', date_trunc('day', timezone('UTC', $1)))"),
        ("to_char($1, '%H:%M:%S')", "strftime(timezone('UTC', $1), '%H:%M:%S')"),
    ])
});

/// `SELECT upper(keyword_name) FROM duckdb_keywords() WHERE keyword_category = 'reserved'`.
const RESERVED: &str = "\
    ALL ANALYSE ANALYZE AND ANY ARRAY AS ASC ASYMMETRIC BOTH CASE CAST CHECK COLLATE COLUMN CONSTRAINT \
    CREATE DEFAULT DEFERRABLE DESC DESCRIBE DISTINCT DO ELSE END EXCEPT FALSE FETCH FOR FOREIGN FROM \
    GROUP HAVING IN INITIALLY INTERSECT INTO LAMBDA LATERAL LEADING LIMIT NOT NULL OFFSET ON ONLY OR \
    ORDER PIVOT PIVOT_LONGER PIVOT_WIDER PLACING PRIMARY QUALIFY REFERENCES RETURNING SELECT SHOW SOME \
    SUMMARIZE SYMMETRIC TABLE THEN TO TRAILING TRUE UNION UNIQUE UNPIVOT USING VARIADIC WHEN WHERE \
    WINDOW WITH";

impl Rules for DuckDb {
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
        '"'
    }

    fn data_type(&self, ours: &DataType) -> Option<DataType> {
        match ours {
            DataType::String(None) => Some(DataType::Varchar(None)),
            // Our times are instants.
            DataType::Timestamp(None, TimezoneInfo::None) => {
                Some(DataType::Timestamp(None, TimezoneInfo::WithTimeZone))
            }
            DataType::Boolean
            | DataType::Int(None)
            | DataType::BigInt(None)
            | DataType::Double(_)
            | DataType::Decimal(_)
            | DataType::Date => Some(ours.clone()),
            _ => None,
        }
    }

    fn join(&self, operator: &mut JoinOperator) {
        match operator {
            JoinOperator::LeftAnti(on) => *operator = JoinOperator::Anti(on.clone()),
            JoinOperator::LeftSemi(on) => *operator = JoinOperator::Semi(on.clone()),
            _ => {}
        }
    }

    /// `x -> …` is deprecated.
    fn last(&self, expr: &mut Expr) {
        if let Expr::Lambda(lambda) = expr {
            lambda.syntax = LambdaSyntax::LambdaKeyword;
        }
    }
}
