//! The values that primitives may have: their JSON type and their form
//! (<https://hl7.org/fhir/R4/datatypes.html#primitive>).
//!
//! The regular expressions that FHIR publishes are written out by hand, as they mean it rather than as they are
//! written: a date is one of the calendar, a base64Binary has whole groups. What holds in one FHIR version only is not
//! held against a value, as the forms are the same for all.

mod binary;
mod moment;
mod text;

use fhir_definitions::Definitions;

use crate::json::{Kind, Value};

/// What a primitive may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Primitive {
    Boolean,
    Integer,
    UnsignedInt,
    PositiveInt,
    /// A JSON string, unlike the other numbers.
    Integer64,
    Decimal,
    /// `string` and `markdown`.
    Text,
    Code,
    /// The id of a resource, and whatever else has the type `id`.
    Id,
    /// The id of an element, which may be any text without white space.
    ElementId,
    /// `uri`, `url` and `canonical`.
    Uri,
    Oid,
    Uuid,
    Date,
    DateTime,
    Instant,
    Time,
    Base64,
    Xhtml,
}

/// What is wrong with a primitive's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is of another JSON type than this.
    JsonType(&'static str),
    /// It is `null`.
    Null,
    /// It is a string without characters.
    Empty,
    /// It is not of the form that is described.
    Form(&'static str),
    /// It is of a form that is better avoided.
    Unwise(&'static str),
}

impl Primitive {
    /// What the values of a primitive type may be; a type that is not known here is as the one that it specialises.
    pub(super) fn of(definitions: &Definitions, code: &str) -> Self {
        let mut types = definitions.with_base_types(code);
        types.find_map(|definition| Self::named(&definition.name)).unwrap_or(Self::Text)
    }

    fn named(code: &str) -> Option<Self> {
        Some(match code {
            "boolean" => Self::Boolean,
            "integer" => Self::Integer,
            "unsignedInt" => Self::UnsignedInt,
            "positiveInt" => Self::PositiveInt,
            "integer64" => Self::Integer64,
            "decimal" => Self::Decimal,
            "string" | "markdown" => Self::Text,
            "code" => Self::Code,
            "id" => Self::Id,
            "uri" | "url" | "canonical" => Self::Uri,
            "oid" => Self::Oid,
            "uuid" => Self::Uuid,
            "date" => Self::Date,
            "dateTime" => Self::DateTime,
            "instant" => Self::Instant,
            "time" => Self::Time,
            "base64Binary" => Self::Base64,
            "xhtml" => Self::Xhtml,
            _ => return None,
        })
    }

    /// Whether a value is in order. False also for strings with escapes, which [`fault`](Self::fault) looks at.
    #[inline]
    pub(super) fn holds(self, value: Value<'_>) -> bool {
        match value.kind() {
            Kind::String => match value.string_content() {
                Some((content, false)) => !content.is_empty() && self.holds_text(content),
                _ => false,
            },
            Kind::Number => self.holds_number(value.raw()),
            Kind::True | Kind::False => self == Self::Boolean,
            _ => false,
        }
    }

    #[inline]
    fn holds_text(self, text: &str) -> bool {
        let bytes = text.as_bytes();
        match self {
            Self::Text => text::is_string(text),
            Self::Code => text::is_code(bytes),
            Self::Id => crate::is_legal_id(text),
            Self::ElementId => text::has_no_space(bytes),
            Self::Uri => text::is_uri(text),
            Self::Oid => text::is_oid(text),
            Self::Uuid => text::is_uuid(text),
            Self::Integer64 => text::is_integer64(text),
            Self::Date => moment::is_date(bytes),
            Self::DateTime => moment::is_date_time(bytes),
            Self::Instant => moment::is_instant(bytes),
            Self::Time => moment::is_time(bytes),
            Self::Base64 => binary::is_base64(bytes),
            Self::Xhtml => text::is_div(text),
            Self::Boolean | Self::Integer | Self::UnsignedInt | Self::PositiveInt | Self::Decimal => false,
        }
    }

    /// Whether a JSON number is in order: its zeros and signs are right already.
    fn holds_number(self, literal: &str) -> bool {
        let least = match self {
            Self::Decimal => return true,
            Self::PositiveInt => 1,
            Self::UnsignedInt => 0,
            Self::Integer => i32::MIN,
            _ => return false,
        };
        literal.parse::<i32>().is_ok_and(|number| number >= least)
    }

    /// What is wrong with a value that does not hold; `None` if it does after all. The scratch is for the text of a
    /// string with escapes.
    #[cold]
    pub(super) fn fault(self, value: Value<'_>, scratch: &mut String) -> Option<Fault> {
        let (expected, kind) = match self {
            Self::Boolean => ("true or false", Kind::True),
            Self::Decimal | Self::Integer | Self::UnsignedInt | Self::PositiveInt => {
                ("a number", Kind::Number)
            }
            _ => ("a string", Kind::String),
        };
        match value.kind() {
            Kind::Null => Some(Fault::Null),
            found if found != kind => (!self.holds(value)).then_some(Fault::JsonType(expected)),
            Kind::String if value.string_content().is_some_and(|(content, _)| content.is_empty()) => {
                Some(Fault::Empty)
            }
            Kind::String => self.text_fault(value.text(scratch)),
            _ => (!self.holds(value)).then_some(Fault::Form(self.form())),
        }
    }

    fn text_fault(self, text: Option<&str>) -> Option<Fault> {
        // Characters below 32 are escaped in JSON, so that they can be here only.
        let is_control = |byte: u8| byte < b' ' && !b"\t\n\r".contains(&byte);
        match text {
            None => Some(Fault::Form("a string has half of a surrogate pair, which is no text")),
            Some(text) if !self.holds_text(text) => Some(Fault::Form(self.form())),
            Some(text) if self == Self::Text && text.bytes().any(is_control) => Some(Fault::Unwise(
                "a string should have no control characters but tab and the ends of lines",
            )),
            Some(_) => None,
        }
    }

    /// The form in words.
    const fn form(self) -> &'static str {
        match self {
            Self::Boolean => "a boolean is true or false",
            Self::Integer => "an integer is a whole number of 32 bits, written without fraction and exponent",
            Self::UnsignedInt => "an unsignedInt is a whole number from 0 to 2,147,483,647",
            Self::PositiveInt => "a positiveInt is a whole number from 1 to 2,147,483,647",
            Self::Integer64 => "an integer64 is a whole number of 64 bits",
            Self::Decimal => "a decimal is a number",
            Self::Text => "a string has at most 1,048,576 characters",
            Self::Code => "a code begins and ends with no white space, and has but single spaces within",
            Self::Id => "an id has 1 to 64 letters, digits, `-` and `.`",
            Self::ElementId => "the id of an element has no white space",
            Self::Uri => {
                "a URI has no white space; urn:oid: and urn:uuid: are followed by what they say, in lower case"
            }
            Self::Oid => "an oid is written like urn:oid:1.2.3",
            Self::Uuid => "a uuid is written like urn:uuid:c757873d-ec9a-4326-a141-556f43239520",
            Self::Date => "a date is written like 2024, 2024-05 or 2024-05-01",
            Self::DateTime => {
                "a dateTime is written like a date, or with seconds and zone like 2024-05-01T12:00:00Z"
            }
            Self::Instant => "an instant has seconds and a zone, like 2024-05-01T12:00:00.5+02:00",
            Self::Time => "a time is written like 12:00:00 or 12:00:00.5",
            Self::Base64 => "a base64Binary has groups of four characters, filled up with `=`",
            Self::Xhtml => "an xhtml is a `<div xmlns=\"http://www.w3.org/1999/xhtml\">` with its end",
        }
    }
}

#[cfg(test)]
mod tests;
