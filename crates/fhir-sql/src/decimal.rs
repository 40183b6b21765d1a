//! Decimal numbers, exactly: FHIR's literals and FHIRPath's arithmetic on them.
//!
//! The one invariant: no step goes through binary floating point. What does not fit into 38 digits is no number here.

use std::cmp::Ordering;
use std::fmt;

/// Digits of a quotient behind the point.
const QUOTIENT_SCALE: u32 = 16;

/// A decimal number: `mantissa / 10^scale`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decimal {
    mantissa: i128,
    scale: u32,
}

impl Decimal {
    pub(crate) const fn whole(value: i64) -> Self {
        Self { mantissa: value as i128, scale: 0 }
    }

    /// Reads the literal of a JSON number, or of FHIRPath.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (digits, exponent) = match text.split_once(['e', 'E']) {
            Some((digits, exponent)) => (digits, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (negative, digits) = match digits.as_bytes().first()? {
            b'-' => (true, &digits[1..]),
            b'+' => (false, &digits[1..]),
            _ => (false, digits),
        };
        let (mut mantissa, mut scale, mut point, mut any) = (0_i128, 0_i32, false, false);
        for byte in digits.bytes() {
            match byte {
                b'0'..=b'9' => {
                    any = true;
                    mantissa = mantissa.checked_mul(10)?.checked_add(i128::from(byte - b'0'))?;
                    scale += i32::from(point);
                }
                b'.' if !point => point = true,
                _ => return None,
            }
        }
        scale = scale.checked_sub(exponent)?;
        while scale < 0 {
            mantissa = mantissa.checked_mul(10)?;
            scale += 1;
        }
        let mantissa = if negative { -mantissa } else { mantissa };
        any.then_some(Self { mantissa, scale: u32::try_from(scale).ok().filter(|scale| *scale <= 38)? })
    }

    /// The two numbers with the same number of digits behind the point.
    fn aligned(self, other: Self) -> Option<(i128, i128, u32)> {
        let scale = self.scale.max(other.scale);
        let widen = |number: Self| number.mantissa.checked_mul(10_i128.checked_pow(scale - number.scale)?);
        Some((widen(self)?, widen(other)?, scale))
    }

    pub(crate) fn compare(self, other: Self) -> Option<Ordering> {
        let (left, right, _) = self.reduced().aligned(other.reduced())?;
        Some(left.cmp(&right))
    }

    pub(crate) fn add(self, other: Self) -> Option<Self> {
        let (left, right, scale) = self.aligned(other)?;
        Some(Self { mantissa: left.checked_add(right)?, scale })
    }

    pub(crate) fn negate(self) -> Option<Self> {
        Some(Self { mantissa: self.mantissa.checked_neg()?, ..self })
    }

    pub(crate) fn multiply(self, other: Self) -> Option<Self> {
        let (left, right) = (self.reduced(), other.reduced());
        Some(Self {
            mantissa: left.mantissa.checked_mul(right.mantissa)?,
            scale: left.scale.checked_add(right.scale)?,
        })
    }

    /// A quotient, to 16 digits behind the point; `None` too where it is one by zero.
    pub(crate) fn divide(self, by: Self) -> Option<Self> {
        let (left, right, _) = self.reduced().aligned(by.reduced())?;
        let mut scale = QUOTIENT_SCALE;
        // A long dividend leaves less room behind the point.
        let widened = loop {
            match left.checked_mul(10_i128.pow(scale)) {
                Some(widened) => break widened,
                None => scale = scale.checked_sub(1)?,
            }
        };
        Some(Self { mantissa: widened.checked_div(right)?, scale }.reduced())
    }

    /// The whole part of a quotient.
    pub(crate) fn divide_whole(self, by: Self) -> Option<i128> {
        let (left, right, _) = self.aligned(by)?;
        left.checked_div(right)
    }

    /// What a whole quotient leaves.
    pub(crate) fn remainder(self, by: Self) -> Option<Self> {
        let (left, right, scale) = self.aligned(by)?;
        Some(Self { mantissa: left.checked_rem(right)?, scale })
    }

    /// The number rounded to so many digits behind the point, halves away from zero.
    pub(crate) fn round(self, digits: u32) -> Option<Self> {
        if self.scale <= digits {
            return Some(self);
        }
        let unit = 10_i128.checked_pow(self.scale - digits)?;
        let half = unit / 2 * self.mantissa.signum();
        Some(Self { mantissa: self.mantissa.checked_add(half)? / unit, scale: digits })
    }

    /// The largest whole number that is not larger.
    pub(crate) fn floor(self) -> i128 {
        self.mantissa.div_euclid(10_i128.pow(self.scale))
    }

    /// The number without what is behind its point.
    pub(crate) fn truncate(self) -> i128 {
        self.mantissa / 10_i128.pow(self.scale)
    }

    pub(crate) fn is_negative(self) -> bool {
        self.mantissa < 0
    }

    /// The least or greatest number that would be written like this one with so many digits: half a unit of the last
    /// digit away.
    pub(crate) fn boundary(self, high: bool) -> Option<Self> {
        let half = if high { 5 } else { -5 };
        let mantissa = self.mantissa.checked_mul(10)?.checked_add(half)?;
        Some(Self { mantissa, scale: self.scale + 1 })
    }

    /// The same number without zeros at its end.
    fn reduced(self) -> Self {
        let Self { mut mantissa, mut scale } = self;
        while scale > 0 && mantissa % 10 == 0 {
            mantissa /= 10;
            scale -= 1;
        }
        Self { mantissa, scale }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.mantissa.unsigned_abs().to_string();
        let sign = if self.mantissa < 0 { "-" } else { "" };
        let scale = self.scale as usize;
        if scale == 0 {
            return write!(f, "{sign}{digits}");
        }
        let digits = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        write!(f, "{sign}{whole}.{fraction}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn a_boundary_is_half_a_unit_of_the_last_digit_away() {
        for (text, low, high) in [
            ("1.0", "0.95", "1.05"),
            ("1", "0.5", "1.5"),
            ("-0.010", "-0.0105", "-0.0095"),
            ("1.587", "1.5865", "1.5875"),
            ("1e2", "99.5", "100.5"),
        ] {
            assert_eq!(number(text).boundary(false).unwrap().to_string(), low, "{text}");
            assert_eq!(number(text).boundary(true).unwrap().to_string(), high, "{text}");
        }
    }

    #[test]
    fn arithmetic_is_exact() {
        assert_eq!(number("0.1").add(number("0.2")).unwrap().compare(number("0.3")), Some(Ordering::Equal));
        assert_eq!(number("3").divide(number("2")).unwrap().to_string(), "1.5");
        assert_eq!(number("1").divide(number("3")).unwrap().to_string(), "0.3333333333333333");
        assert_eq!(number("1").divide(number("0.0")), None);
        assert_eq!(number("-7.5").remainder(number("2")).unwrap().to_string(), "-1.5");
        assert_eq!(number("2.5").round(0).unwrap().to_string(), "3");
        assert_eq!(number("-2.5").floor(), -3);
        assert_eq!(number("1.50").compare(number("1.5")), Some(Ordering::Equal));
    }

    #[test]
    fn what_is_no_number_is_none() {
        for text in ["", "-", ".", "1.2.3", "a", "1e", "99999999999999999999999999999999999999999"] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }
}
