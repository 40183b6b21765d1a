//! Functions by their names: what they are called on, what they take, what they give.

use std::sync::Arc;

use fhirpath::{Expression as Tree, Operator, Span, TypeOperator};
use regex::Regex;

use super::operator::boolean;
use super::path::type_argument;
use super::{Compiler, Scope};
use crate::error::Fault;
use crate::expression::{Expression, Function, Literal, Step};
use crate::types::{Kind, Type};

/// A call: its name, where it stands, what it has in its parentheses.
struct Call<'t> {
    name: &'t str,
    span: Span,
    arguments: &'t [Tree],
}

impl Call<'_> {
    fn takes(&self, range: std::ops::RangeInclusive<usize>) -> Result<(), Fault> {
        if range.contains(&self.arguments.len()) {
            return Ok(());
        }
        let (from, to) = (range.start(), range.end());
        let count = if from == to { from.to_string() } else { format!("{from} to {to}") };
        let plural = if *to == 1 { "argument" } else { "arguments" };
        Err(Fault::new(self.span, format!("{}() takes {count} {plural}", self.name)))
    }
}

impl Compiler {
    pub(super) fn call(
        &self,
        of: Option<&Tree>,
        name: &str,
        arguments: &[Tree],
        scope: &Scope,
        span: Span,
    ) -> Result<Expression, Fault> {
        // An error is about the function's name, which stands behind what it is called on.
        let start = of.map_or(span.start, |of| (of.span.end + 1).min(span.end));
        let call = Call { name, span: Span { start, end: span.end }, arguments };
        let from = self.before(of, scope, call.span)?;
        match name {
            "where" | "select" | "all" | "exists" if !arguments.is_empty() => self.conditional(from, &call),
            "iif" => self.iif(from, &call),
            "ofType" | "is" | "as" => {
                call.takes(1..=1)?;
                let type_name = type_argument(&arguments[0])?;
                match name {
                    "is" => self.typed(TypeOperator::Is, from, &type_name, call.span),
                    _ => self.of_type(from, &type_name, call.span),
                }
            }
            "getResourceKey" => {
                call.takes(0..=0)?;
                let resource =
                    matches!(&from.of, Type::Complex(of) if self.definitions.is_resource(&of.name));
                if !resource {
                    return Err(Fault::new(call.span, "only a resource has a key"));
                }
                self.element(from, "id", call.span)
            }
            "getReferenceKey" => self.reference_key(from, &call),
            "extension" => self.extension(from, &call, scope),
            "union" | "combine" => self.both(from, &call, scope),
            // The first moment of a period is that of its start.
            "lowBoundary" | "highBoundary" if matches!(&from.of, Type::Complex(of) if of.name == "Period") => {
                let end = if name == "lowBoundary" { "start" } else { "end" };
                let from = self.element(from, end, call.span)?;
                self.simple(from, &call, scope)
            }
            "toQuantity" if from.of.is(self.definitions, "Quantity") => {
                call.takes(0..=0)?;
                let is_made = matches!(from.of, Type::Quantity);
                Ok(if is_made {
                    from
                } else {
                    made(Box::new(from), Function::OfQuantity, Type::Quantity, call.span)
                })
            }
            _ => self.simple(from, &call, scope),
        }
    }

    /// A function whose argument is evaluated on each value.
    fn conditional(&self, from: Expression, call: &Call<'_>) -> Result<Expression, Fault> {
        call.takes(1..=1)?;
        let inner = Scope { this: from.of.clone(), is_resource: false, is_item: true };
        let argument = Box::new(self.compile(&call.arguments[0], &inner)?);
        let (of, span) = (from.of.clone(), call.span);
        let from = Box::new(from);
        if call.name != "select" {
            boolean(&argument)?;
        }
        Ok(match call.name {
            "select" => {
                let of = argument.of.clone();
                Expression { step: Step::Select { from, projection: argument }, of, span }
            }
            "all" => {
                let of = Type::system(Kind::Boolean);
                let step = Step::Select { from, projection: argument };
                let answers = Box::new(Expression { step, of: of.clone(), span });
                made(answers, Function::AllTrue, of, span)
            }
            name => {
                let filtered = Expression { step: Step::Filter { from, condition: argument }, of, span };
                if name == "where" {
                    return Ok(filtered);
                }
                made(Box::new(filtered), Function::Exists, Type::system(Kind::Boolean), span)
            }
        })
    }

    fn iif(&self, from: Expression, call: &Call<'_>) -> Result<Expression, Fault> {
        call.takes(2..=3)?;
        let scope = Scope { this: from.of.clone(), is_resource: false, is_item: false };
        let condition = self.compile(&call.arguments[0], &scope)?;
        boolean(&condition)?;
        let then = self.compile(&call.arguments[1], &scope)?;
        let otherwise = call.arguments.get(2).map(|tree| self.compile(tree, &scope)).transpose()?;
        if let Some(otherwise) = &otherwise
            && !then.of.is_like(&otherwise.of)
        {
            let reason =
                format!("the two outcomes must be of one type, not a {} and a {}", then.of, otherwise.of);
            return Err(Fault::new(otherwise.span, reason));
        }
        let of = match (&then.of, &otherwise) {
            (Type::Nothing, Some(otherwise)) => otherwise.of.clone(),
            (of, _) => of.clone(),
        };
        let step = Step::If {
            condition: Box::new(condition),
            then: Box::new(then),
            otherwise: otherwise.map(Box::new),
        };
        let chosen = Expression { step, of: of.clone(), span: call.span };
        let this = matches!(from.step, Step::This);
        if this {
            return Ok(chosen);
        }
        // Each value that it is called on is `$this` in its arguments.
        let step = Step::Select { from: Box::new(from), projection: Box::new(chosen) };
        Ok(Expression { step, of, span: call.span })
    }

    fn reference_key(&self, from: Expression, call: &Call<'_>) -> Result<Expression, Fault> {
        call.takes(0..=1)?;
        if !matches!(&from.of, Type::Complex(of) if of.name == "Reference") {
            let reason = format!("getReferenceKey() is for a Reference, not for a {}", from.of);
            return Err(Fault::new(call.span, reason));
        }
        let of_type = call.arguments.first().map(type_argument).transpose()?;
        if let Some(name) = of_type.as_deref().filter(|name| !self.definitions.is_resource(name)) {
            return Err(Fault::new(call.arguments[0].span, format!("{name} is no resource type")));
        }
        Ok(made(Box::new(from), Function::ReferenceKey(of_type), Type::system(Kind::String), call.span))
    }

    /// `extension(url)` is `extension.where(url = …)`.
    fn extension(&self, from: Expression, call: &Call<'_>, scope: &Scope) -> Result<Expression, Fault> {
        call.takes(1..=1)?;
        let url = self.compile(&call.arguments[0], scope)?;
        let Step::Literal(Literal::Text(_)) = &url.step else {
            return Err(Fault::new(url.span, "the URL of an extension is expected, a text or a constant"));
        };
        let extensions = self.element(from, "extension", call.span)?;
        if matches!(extensions.of, Type::Nothing) {
            return Ok(extensions);
        }
        let (of, span) = (extensions.of.clone(), call.span);
        let this = Expression { step: Step::This, of: of.clone(), span };
        let left = Box::new(self.element(this, "url", span)?);
        let step = Step::Binary { operator: Operator::Equal, left, right: Box::new(url) };
        let condition = Box::new(Expression { step, of: Type::system(Kind::Boolean), span });
        Ok(Expression { step: Step::Filter { from: Box::new(extensions), condition }, of, span })
    }

    /// `union(other)` and `combine(other)`.
    fn both(&self, from: Expression, call: &Call<'_>, scope: &Scope) -> Result<Expression, Fault> {
        call.takes(1..=1)?;
        let other = self.compile(&call.arguments[0], scope)?;
        if !from.of.is_like(&other.of) || !matches!(from.of, Type::Primitive(..) | Type::Nothing) {
            let reason = format!("a {} and a {} make no list of primitives", from.of, other.of);
            return Err(Fault::new(other.span, reason));
        }
        let of = if matches!(from.of, Type::Nothing) { other.of.clone() } else { from.of.clone() };
        let (left, right) = (Box::new(from), Box::new(other));
        let step = if call.name == "union" {
            Step::Binary { operator: Operator::Union, left, right }
        } else {
            Step::Combine { left, right }
        };
        Ok(Expression { step, of, span: call.span })
    }

    /// A function whose arguments are values.
    fn simple(&self, from: Expression, call: &Call<'_>, scope: &Scope) -> Result<Expression, Fault> {
        let mut arguments = Vec::new();
        for tree in call.arguments {
            arguments.push(self.compile(tree, scope)?);
        }
        let given = arguments.iter().map(|argument| &argument.step);
        let literal = given.clone().next();
        let (function, takes, of) = signature(call, &from, literal)?;
        call.takes(takes)?;
        let wanted = match function {
            Function::Skip | Function::Take | Function::Substring => Kind::Integer,
            _ => Kind::String,
        };
        for argument in &arguments {
            if argument.of.kind().is_some_and(|kind| kind != wanted)
                || matches!(argument.of, Type::Complex(_))
            {
                let reason = format!("a {} is expected, not a {}", wanted.system(), argument.of);
                return Err(Fault::new(argument.span, reason));
            }
        }
        Ok(Expression { step: Step::Call { from: Box::new(from), function, arguments }, of, span: call.span })
    }
}

pub(super) fn made(from: Box<Expression>, function: Function, of: Type, span: Span) -> Expression {
    Expression { step: Step::Call { from, function, arguments: Vec::new() }, of, span }
}

type Signature = (Function, std::ops::RangeInclusive<usize>, Type);

fn signature(call: &Call<'_>, from: &Expression, argument: Option<&Step>) -> Result<Signature, Fault> {
    let boolean = Type::system(Kind::Boolean);
    let integer = Type::system(Kind::Integer);
    let same = from.of.clone();
    Ok(match call.name {
        "exists" | "hasValue" => (Function::Exists, 0..=0, boolean),
        "empty" => (Function::Empty, 0..=0, boolean),
        "not" => (on(call, from, &[Kind::Boolean], Function::Not)?, 0..=0, boolean),
        "count" => (Function::Count, 0..=0, integer),
        "first" => (Function::First, 0..=0, same),
        "last" => (Function::Last, 0..=0, same),
        "tail" => (Function::Tail, 0..=0, same),
        "single" => (Function::Single, 0..=0, same),
        "skip" => (Function::Skip, 1..=1, same),
        "take" => (Function::Take, 1..=1, same),
        "distinct" => (on(call, from, PRIMITIVES, Function::Distinct)?, 0..=0, same),
        "isDistinct" => (on(call, from, PRIMITIVES, Function::IsDistinct)?, 0..=0, boolean),
        "allTrue" => (on(call, from, &[Kind::Boolean], Function::AllTrue)?, 0..=0, boolean),
        "anyTrue" => (on(call, from, &[Kind::Boolean], Function::AnyTrue)?, 0..=0, boolean),
        "allFalse" => (on(call, from, &[Kind::Boolean], Function::AllFalse)?, 0..=0, boolean),
        "anyFalse" => (on(call, from, &[Kind::Boolean], Function::AnyFalse)?, 0..=0, boolean),
        "lowBoundary" | "highBoundary" => return boundary(call, from),
        "toString" => (on(call, from, PRIMITIVES, Function::ToText)?, 0..=0, Type::system(Kind::String)),
        "toInteger" => (on(call, from, PRIMITIVES, Function::ToInteger)?, 0..=0, integer),
        "toQuantity" => (on(call, from, TO_QUANTITY, Function::ToQuantity)?, 0..=0, Type::Quantity),
        "toDecimal" => (on(call, from, PRIMITIVES, Function::ToDecimal)?, 0..=0, Type::system(Kind::Decimal)),
        _ => {
            return of_text(call, from, argument)
                .or_else(|| of_number(call, from))
                .unwrap_or_else(|| Err(Fault::new(call.span, unknown(call.name))));
        }
    })
}

/// Why a function is not there, and what is to be done instead.
fn unknown(name: &str) -> String {
    let instead = match name {
        "memberOf" | "subsumes" | "subsumedBy" => {
            "it needs a terminology server: compare codes, or join the view with a table of the value set's codes"
        }
        "resolve" => "a view has one resource type: join two views by getReferenceKey() and getResourceKey()",
        "today" | "now" | "timeOfDay" => {
            "a view means the same every day: compare with current_date in the SQL that selects from it"
        }
        "descendants" | "children" | "repeat" => "name the elements, or use the repeat of a select",
        _ => return format!("there is no function {name}() here"),
    };
    format!("there is no function {name}() here: {instead}")
}

const PRIMITIVES: &[Kind] =
    &[Kind::Boolean, Kind::Integer, Kind::Decimal, Kind::String, Kind::Date, Kind::DateTime, Kind::Time];
const TO_QUANTITY: &[Kind] = &[Kind::Boolean, Kind::Integer, Kind::Decimal, Kind::String];
const NUMBERS: &[Kind] = &[Kind::Integer, Kind::Decimal];

/// The function, where it is called on one of these kinds or on nothing.
fn on(call: &Call<'_>, from: &Expression, kinds: &[Kind], function: Function) -> Result<Function, Fault> {
    match &from.of {
        Type::Nothing => Ok(function),
        Type::Primitive(_, kind) if kinds.contains(kind) => Ok(function),
        Type::Choice(_) => {
            let reason = format!("{}() is called on one of {}: say which with ofType(…)", call.name, from.of);
            Err(Fault::new(call.span, reason))
        }
        other => Err(Fault::new(call.span, format!("{}() is not for a {other}", call.name))),
    }
}

fn boundary(call: &Call<'_>, from: &Expression) -> Result<Signature, Fault> {
    let high = call.name == "highBoundary";
    let Some(kind) = from.of.kind() else {
        on(call, from, NUMBERS, Function::Exists)?;
        return Ok((Function::Tail, 0..=0, Type::Nothing));
    };
    let function = Function::Boundary { high, kind };
    let bounded = &[Kind::Integer, Kind::Decimal, Kind::Date, Kind::DateTime, Kind::Time];
    let function = on(call, from, bounded, function)?;
    let of = if kind == Kind::Integer { Type::system(Kind::Decimal) } else { from.of.clone() };
    Ok((function, 0..=0, of))
}

fn of_text(call: &Call<'_>, from: &Expression, argument: Option<&Step>) -> Option<Result<Signature, Fault>> {
    let boolean = || Type::system(Kind::Boolean);
    let text = || Type::system(Kind::String);
    let integer = || Type::system(Kind::Integer);
    let (function, takes, of) = match call.name {
        "join" => (Function::Join, 0..=1, text()),
        "startsWith" => (Function::StartsWith, 1..=1, boolean()),
        "endsWith" => (Function::EndsWith, 1..=1, boolean()),
        "contains" => (Function::Contains, 1..=1, boolean()),
        "matches" => match pattern(call, argument) {
            Ok(pattern) => (Function::Matches(pattern), 1..=1, boolean()),
            Err(fault) => return Some(Err(fault)),
        },
        "indexOf" => (Function::IndexOf, 1..=1, integer()),
        "substring" => (Function::Substring, 1..=2, text()),
        "replace" => (Function::Replace, 2..=2, text()),
        "length" => (Function::Length, 0..=0, integer()),
        "upper" => (Function::Upper, 0..=0, text()),
        "lower" => (Function::Lower, 0..=0, text()),
        "trim" => (Function::Trim, 0..=0, text()),
        _ => return None,
    };
    Some(on(call, from, &[Kind::String], function).map(|function| (function, takes, of)))
}

fn pattern(call: &Call<'_>, argument: Option<&Step>) -> Result<Option<Arc<Regex>>, Fault> {
    let Some(Step::Literal(Literal::Text(text))) = argument else {
        return Err(Fault::new(call.span, "matches() takes a regular expression, a text or a constant"));
    };
    // Where the text matches at all, and a dot is any character, as FHIRPath has it.
    let built = regex::RegexBuilder::new(text).dot_matches_new_line(true).build();
    built.map(|pattern| Some(Arc::new(pattern))).map_err(|_| {
        Fault::new(call.arguments[0].span, "this is no regular expression that can be used here")
    })
}

fn of_number(call: &Call<'_>, from: &Expression) -> Option<Result<Signature, Fault>> {
    let whole = || Type::system(Kind::Integer);
    let (function, of) = match call.name {
        "abs" => (Function::Abs, from.of.clone()),
        "round" => (Function::Round, Type::system(Kind::Decimal)),
        "ceiling" => (Function::Ceiling, whole()),
        "floor" => (Function::Floor, whole()),
        "truncate" => (Function::Truncate, whole()),
        _ => return None,
    };
    Some(on(call, from, NUMBERS, function).map(|function| (function, 0..=0, of)))
}
