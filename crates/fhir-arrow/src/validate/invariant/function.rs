//! The functions that are evaluated (<http://hl7.org/fhirpath/N1/#functions>), and with how many arguments.

/// A function of FHIRPath, or of FHIR (`htmlChecks`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    All,
    AllFalse,
    AllTrue,
    AnyTrue,
    Children,
    Combine,
    Contains,
    Count,
    Descendants,
    Distinct,
    Empty,
    EndsWith,
    Exists,
    First,
    HasValue,
    HighBoundary,
    HtmlChecks,
    Iif,
    Intersect,
    IsDistinct,
    Last,
    Length,
    LowBoundary,
    Not,
    Repeat,
    Select,
    StartsWith,
    Substring,
    Tail,
    ToInteger,
    ToText,
    Trace,
    Union,
    Where,
}

/// How many arguments a function has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arity {
    None,
    One,
    OneOrNone,
    OneOrTwo,
    TwoOrThree,
    /// Any number, and they do not matter.
    Ignored,
}

impl Arity {
    pub(super) fn allows(self, arguments: usize) -> bool {
        match self {
            Self::None => arguments == 0,
            Self::One => arguments == 1,
            Self::OneOrNone => arguments <= 1,
            Self::OneOrTwo => matches!(arguments, 1 | 2),
            Self::TwoOrThree => matches!(arguments, 2 | 3),
            Self::Ignored => true,
        }
    }
}

impl Function {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "all" => Self::All,
            "allFalse" => Self::AllFalse,
            "allTrue" => Self::AllTrue,
            "anyTrue" => Self::AnyTrue,
            "children" => Self::Children,
            "combine" => Self::Combine,
            "contains" => Self::Contains,
            "count" => Self::Count,
            "descendants" => Self::Descendants,
            "distinct" => Self::Distinct,
            "empty" => Self::Empty,
            "endsWith" => Self::EndsWith,
            "exists" => Self::Exists,
            "first" => Self::First,
            "hasValue" => Self::HasValue,
            "highBoundary" => Self::HighBoundary,
            "htmlChecks" => Self::HtmlChecks,
            "iif" => Self::Iif,
            "intersect" => Self::Intersect,
            "isDistinct" => Self::IsDistinct,
            "last" => Self::Last,
            "length" => Self::Length,
            "lowBoundary" => Self::LowBoundary,
            "not" => Self::Not,
            "repeat" => Self::Repeat,
            "select" => Self::Select,
            "startsWith" => Self::StartsWith,
            "substring" => Self::Substring,
            "tail" => Self::Tail,
            "toInteger" => Self::ToInteger,
            "toString" => Self::ToText,
            "trace" => Self::Trace,
            "union" => Self::Union,
            "where" => Self::Where,
            _ => return None,
        })
    }

    pub(super) fn arity(self) -> Arity {
        match self {
            Self::All
            | Self::Combine
            | Self::Contains
            | Self::EndsWith
            | Self::Intersect
            | Self::Repeat
            | Self::Select
            | Self::StartsWith
            | Self::Union
            | Self::Where => Arity::One,
            Self::Exists => Arity::OneOrNone,
            Self::Substring => Arity::OneOrTwo,
            Self::Iif => Arity::TwoOrThree,
            Self::Trace => Arity::Ignored,
            _ => Arity::None,
        }
    }
}
