//! Quantities: a number with a unit, compared as FHIRPath has it (<http://hl7.org/fhirpath/N1/#quantity-equality>).
//!
//! The one invariant: quantities of the same unit compare by their exact numbers, those of units of one dimension by UCUM's
//! factors, and all others not at all: there is no answer, and never a wrong one.

use std::cmp::Ordering;
use std::sync::Arc;

use octofhir_ucum::{Number, UnitAnalysis};

use crate::decimal::Decimal;

/// The code system of UCUM, whose units can be converted.
pub(crate) const UCUM: &str = "http://unitsofmeasure.org";

/// A number with a unit.
#[derive(Debug, Clone)]
pub(crate) struct Quantity {
    pub(crate) value: Decimal,
    pub(crate) unit: Arc<Unit>,
}

/// A unit.
#[derive(Debug)]
pub(crate) enum Unit {
    /// One of UCUM, and the unit of the calendar that it is too.
    Ucum { meaning: Box<UnitAnalysis>, calendar: Option<Calendar> },
    /// One of the calendar: `4 days`.
    Calendar(Calendar),
    /// One of another system, or a text: equal to itself alone.
    Other { system: String, code: String },
}

/// A unit of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Calendar {
    Year,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Second,
    Millisecond,
}

impl Calendar {
    const ALL: [(Self, &'static str, &'static str); 8] = [
        (Self::Year, "year", "a"),
        (Self::Month, "month", "mo"),
        (Self::Week, "week", "wk"),
        (Self::Day, "day", "d"),
        (Self::Hour, "hour", "h"),
        (Self::Minute, "minute", "min"),
        (Self::Second, "second", "s"),
        (Self::Millisecond, "millisecond", "ms"),
    ];

    /// The unit of a name in the singular.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, is, _)| *is == name).map(|(unit, ..)| unit)
    }

    fn of_ucum(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(.., is)| *is == code).map(|(unit, ..)| unit)
    }

    fn ucum(self) -> &'static str {
        Self::ALL.into_iter().find(|(unit, ..)| *unit == self).map_or("", |(.., code)| code)
    }

    /// How long it is, where no date says it: a year has 365 days then, and a month 30.
    const fn milliseconds(self) -> i64 {
        const DAY: i64 = 86_400_000;
        match self {
            Self::Year => 365 * DAY,
            Self::Month => 30 * DAY,
            Self::Week => 7 * DAY,
            Self::Day => DAY,
            Self::Hour => 3_600_000,
            Self::Minute => 60_000,
            Self::Second => 1000,
            Self::Millisecond => 1,
        }
    }

    /// How many months it has, for those that have whole ones.
    const fn months(self) -> Option<i64> {
        match self {
            Self::Year => Some(12),
            Self::Month => Some(1),
            _ => None,
        }
    }
}

impl Unit {
    /// The unit of a literal, `'mg'`. Those above a second are not those of the calendar.
    ///
    /// # Errors
    /// Why it is none.
    pub(crate) fn written(code: &str) -> Result<Self, String> {
        let calendar = Calendar::of_ucum(code)
            .filter(|calendar| matches!(calendar, Calendar::Second | Calendar::Millisecond));
        let meaning = octofhir_ucum::analyse(code).map_err(|error| {
            let hint = error.suggestions.first().map(|hint| format!(". {hint}")).unwrap_or_default();
            format!("{}{hint}", error.message)
        })?;
        Ok(Self::Ucum { meaning: Box::new(meaning), calendar })
    }

    /// The unit of a Quantity of FHIR, whose durations are those of the calendar too.
    pub(crate) fn of_fhir(system: Option<&str>, code: Option<&str>, text: Option<&str>) -> Self {
        match (system, code) {
            (Some(UCUM), Some(code)) => match octofhir_ucum::analyse(code) {
                Ok(meaning) => Self::Ucum { meaning: Box::new(meaning), calendar: Calendar::of_ucum(code) },
                Err(_) => Self::other(UCUM, code),
            },
            (_, None) if text.is_none() => Self::one(),
            (system, code) => Self::other(system.unwrap_or_default(), code.or(text).unwrap_or_default()),
        }
    }

    /// No unit: the number itself.
    pub(crate) fn one() -> Self {
        Self::written("1").unwrap_or_else(|_| Self::other(UCUM, "1"))
    }

    fn other(system: &str, code: &str) -> Self {
        Self::Other { system: system.to_owned(), code: code.to_owned() }
    }

    fn calendar(&self) -> Option<Calendar> {
        match self {
            Self::Ucum { calendar, .. } => *calendar,
            Self::Calendar(calendar) => Some(*calendar),
            Self::Other { .. } => None,
        }
    }
}

impl Quantity {
    /// Reads a text: `5`, `5 'mg'`, `4 days`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let end = text.find(|c: char| !matches!(c, '0'..='9' | '.' | '+' | '-')).unwrap_or(text.len());
        let value = Decimal::parse(&text[..end])?;
        let unit = text[end..].trim_start();
        let unit = if unit.is_empty() {
            Unit::one()
        } else if let Some(code) = unit.strip_prefix('\'').and_then(|code| code.strip_suffix('\'')) {
            Unit::written(code).ok()?
        } else {
            Unit::Calendar(Calendar::named(unit.strip_suffix('s').unwrap_or(unit))?)
        };
        Some(Self { value, unit: Arc::new(unit) })
    }

    /// How two of them compare; `None` where their units do not.
    pub(crate) fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self.unit.as_ref(), other.unit.as_ref()) {
            (Unit::Ucum { meaning: of_self, .. }, Unit::Ucum { meaning: of_other, .. }) => {
                compare_ucum(self.value, of_self, other.value, of_other)
            }
            (Unit::Other { system: of_self, code: one }, Unit::Other { system: of_other, code: another }) => {
                let same = of_self == of_other && one == another;
                same.then(|| self.value.compare(other.value))?
            }
            (one, another) => compare_calendar(self.value, one.calendar()?, other.value, another.calendar()?),
        }
    }

    /// Whether the two are equivalent: a year is `1 'a'` here.
    pub(crate) fn is_equivalent(&self, other: &Self) -> bool {
        let definite = |quantity: &Self| match quantity.unit.as_ref() {
            Unit::Calendar(calendar) => {
                let unit = Arc::new(Unit::written(calendar.ucum()).ok()?);
                Some(Self { value: quantity.value, unit })
            }
            _ => Some(quantity.clone()),
        };
        self.compare(other) == Some(Ordering::Equal)
            || definite(self).zip(definite(other)).and_then(|(one, other)| one.compare(&other))
                == Some(Ordering::Equal)
    }
}

fn compare_calendar(one: Decimal, of_one: Calendar, other: Decimal, of_other: Calendar) -> Option<Ordering> {
    if of_one == of_other {
        return one.compare(other);
    }
    let times = |value: Decimal, factor: i64| value.multiply(Decimal::whole(factor));
    match (of_one.months(), of_other.months()) {
        (Some(a), Some(b)) => times(one, a)?.compare(times(other, b)?),
        _ => times(one, of_one.milliseconds())?.compare(times(other, of_other.milliseconds())?),
    }
}

fn compare_ucum(
    one: Decimal,
    of_one: &UnitAnalysis,
    other: Decimal,
    of_other: &UnitAnalysis,
) -> Option<Ordering> {
    if of_one.expression == of_other.expression {
        return one.compare(other);
    }
    if of_one.dimension != of_other.dimension || of_one.arbitrary != of_other.arbitrary {
        return None;
    }
    let (one, other) = (in_base_units(one, of_one)?, in_base_units(other, of_other)?);
    // Factors have 28 digits: 98.6 [degF] and 37 Cel differ in the last ones.
    let difference = one.checked_sub(other)?.abs();
    let noise = one.abs().max(other.abs()).checked_mul(Number::power_of_ten(-20))?;
    Some(if difference <= noise { Ordering::Equal } else { one.cmp(&other) })
}

/// The number of base units, `None` for units whose scale is not linear: they compare with themselves alone.
fn in_base_units(value: Decimal, unit: &UnitAnalysis) -> Option<Number> {
    if unit.special.is_some_and(|kind| kind.is_special()) && unit.offset.is_zero() {
        return None;
    }
    let value = Number::parse(&value.to_string())?;
    value.checked_mul(unit.factor)?.checked_mul(unit.scale)?.checked_add(unit.offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compare(one: &str, other: &str) -> Option<Ordering> {
        Quantity::parse(one).unwrap().compare(&Quantity::parse(other).unwrap())
    }

    #[test]
    fn units_of_one_dimension_are_converted() {
        assert_eq!(compare("1 'g'", "1000 'mg'"), Some(Ordering::Equal));
        assert_eq!(compare("4 'g'", "4040 'mg'"), Some(Ordering::Less));
        assert_eq!(compare("120 'mm[Hg]'", "15 'kPa'"), Some(Ordering::Greater));
        assert_eq!(compare("37 'Cel'", "98.6 '[degF]'"), Some(Ordering::Equal));
        assert_eq!(compare("0 'Cel'", "273.16 'K'"), Some(Ordering::Less));
        assert_eq!(compare("7.40 '[pH]'", "7.4 '[pH]'"), Some(Ordering::Equal));
        assert_eq!(compare("5 '[IU]/mL'", "5000 '[IU]/L'"), Some(Ordering::Equal));
        assert_eq!(compare("0.1 '1'", "10 '%'"), Some(Ordering::Equal));
    }

    #[test]
    fn other_units_do_not_compare() {
        assert_eq!(compare("1 'g'", "1 'm'"), None);
        assert_eq!(compare("1 '[IU]'", "1 '[arb'U]'"), None);
        assert_eq!(compare("1 'mg'", "1"), None);
        assert_eq!(compare("7.4 '[pH]'", "40 'nmol/L'"), None);
    }

    #[test]
    fn the_calendar_has_units_of_its_own_above_a_second() {
        assert_eq!(compare("1 year", "12 months"), Some(Ordering::Equal));
        assert_eq!(compare("1 year", "365 days"), Some(Ordering::Equal));
        assert_eq!(compare("2 weeks", "13 days"), Some(Ordering::Greater));
        assert_eq!(compare("1 minute", "60 's'"), Some(Ordering::Equal));
        assert_eq!(compare("1 year", "1 'a'"), None);
        assert!(Quantity::parse("1 year").unwrap().is_equivalent(&Quantity::parse("1 'a'").unwrap()));
        assert!(!Quantity::parse("1 year").unwrap().is_equivalent(&Quantity::parse("1 'm'").unwrap()));
    }

    #[test]
    fn a_duration_of_fhir_is_one_of_the_calendar_too() {
        let unit = Arc::new(Unit::of_fhir(Some(UCUM), Some("a"), None));
        let age = Quantity { value: Decimal::whole(2), unit };
        assert_eq!(age.compare(&Quantity::parse("1 year").unwrap()), Some(Ordering::Greater));
        assert_eq!(age.compare(&Quantity::parse("2 'a'").unwrap()), Some(Ordering::Equal));
    }

    #[test]
    fn a_unit_without_a_system_is_equal_to_itself_alone() {
        let of = |unit| Quantity { value: Decimal::whole(1), unit: Arc::new(unit) };
        let text = of(Unit::of_fhir(None, None, Some("mg")));
        assert_eq!(text.compare(&text.clone()), Some(Ordering::Equal));
        assert_eq!(text.compare(&Quantity::parse("1 'mg'").unwrap()), None);
        assert_eq!(of(Unit::of_fhir(Some(UCUM), Some("mgg"), None)).compare(&text), None);
        assert_eq!(
            of(Unit::of_fhir(None, None, None)).compare(&Quantity::parse("1").unwrap()),
            Some(Ordering::Equal)
        );
    }

    #[test]
    fn what_is_no_quantity_is_none() {
        for text in ["", "mg", "5 mg", "5 'mgg'", "5 'mg", "1.2.3 'mg'", "5 fortnights"] {
            assert!(Quantity::parse(text).is_none(), "{text}");
        }
    }
}
