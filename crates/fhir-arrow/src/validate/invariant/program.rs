//! From an expression to what is evaluated: names are looked up, and what cannot be evaluated is refused.
//!
//! The subset: paths, literals (but for dates and quantities), all operators but `/`, `div`, `mod`, `~` and `!~`, the
//! functions of [`Function`], and `%resource`, `%rootResource`, `%context`, `%ucum`, `%sct`, `%loinc`.

use fhirpath::{Expression, Kind, Literal, Operator, Sign, TypeOperator, Variable};

use super::function::{Arity, Function};
use crate::json::Name;

/// An expression that can be evaluated.
#[derive(Debug)]
pub(super) enum Op {
    Empty,
    Boolean(bool),
    Number(f64),
    Text(Box<str>),
    /// What the expression around it is evaluated on.
    This,
    /// What the whole expression is evaluated on.
    Context,
    Resource,
    RootResource,
    Member {
        of: Box<Op>,
        name: Name,
    },
    /// A name where a path begins: a child, or the type of what the path begins with.
    First(Name),
    Call {
        of: Box<Op>,
        function: Function,
        arguments: Vec<Op>,
    },
    Type {
        of: Box<Op>,
        test: TypeTest,
        name: Box<str>,
    },
    Index {
        of: Box<Op>,
        index: Box<Op>,
    },
    Negative(Box<Op>),
    Binary {
        operator: Operator,
        left: Box<Op>,
        right: Box<Op>,
    },
}

/// What is done with a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TypeTest {
    /// Whether the only value is of it.
    Is,
    /// The values that are of it: `as` too, as it is published of several values at once.
    Keep,
}

/// Why an expression is not evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::validate) enum Unsupported {
    /// It is no FHIRPath.
    NoExpression,
    /// A function that is not known here, or not with so many arguments.
    Function(String),
    /// An operator or a literal.
    Syntax(&'static str),
    /// A constant of the environment.
    Constant(String),
}

pub(super) fn compile(text: &str) -> Result<Op, Unsupported> {
    op(&fhirpath::parse(text).map_err(|_| Unsupported::NoExpression)?)
}

fn op(expression: &Expression) -> Result<Op, Unsupported> {
    Ok(match &expression.kind {
        Kind::Literal(value) => literal(value)?,
        Kind::External(name) => match name.as_str() {
            "resource" => Op::Resource,
            "rootResource" => Op::RootResource,
            "context" => Op::Context,
            "ucum" => Op::Text("http://unitsofmeasure.org".into()),
            "sct" => Op::Text("http://snomed.info/sct".into()),
            "loinc" => Op::Text("http://loinc.org".into()),
            _ => return Err(Unsupported::Constant(format!("%{name}"))),
        },
        Kind::Member { of: None, name } => Op::First(Name::new(name)),
        Kind::Member { of: Some(of), name } => Op::Member { of: boxed(of)?, name: Name::new(name) },
        Kind::Call { of, name, arguments } => call(of.as_deref(), name, arguments)?,
        Kind::Variable { of: None, variable: Variable::This } => Op::This,
        Kind::Variable { .. } => return Err(Unsupported::Syntax("$index or $total")),
        Kind::Indexer { of, index } => Op::Index { of: boxed(of)?, index: boxed(index)? },
        Kind::Polarity { sign: Sign::Plus, of } => op(of)?,
        Kind::Polarity { sign: Sign::Minus, of } => Op::Negative(boxed(of)?),
        Kind::Binary { operator, left, right } => {
            use Operator::{Div, Divide, Equivalent, Mod, NotEquivalent};
            if let Div | Divide | Equivalent | Mod | NotEquivalent = operator {
                return Err(Unsupported::Syntax(operator.as_str()));
            }
            Op::Binary { operator: *operator, left: boxed(left)?, right: boxed(right)? }
        }
        Kind::Type { operator, of, type_name } => {
            let test = match operator {
                TypeOperator::Is => TypeTest::Is,
                TypeOperator::As => TypeTest::Keep,
            };
            Op::Type { of: boxed(of)?, test, name: type_name.name.as_str().into() }
        }
    })
}

fn boxed(expression: &Expression) -> Result<Box<Op>, Unsupported> {
    op(expression).map(Box::new)
}

fn literal(literal: &Literal) -> Result<Op, Unsupported> {
    match literal {
        Literal::Empty => Ok(Op::Empty),
        Literal::Boolean(value) => Ok(Op::Boolean(*value)),
        Literal::String(text) => Ok(Op::Text(text.as_str().into())),
        Literal::Integer(value) => Ok(Op::Number(*value as f64)),
        Literal::Decimal(value) => {
            value.parse().map(Op::Number).map_err(|_| Unsupported::Syntax("a decimal"))
        }
        Literal::Date(_) | Literal::DateTime(_) | Literal::Time(_) => Err(Unsupported::Syntax("a date")),
        Literal::Quantity { .. } => Err(Unsupported::Syntax("a quantity")),
    }
}

fn call(of: Option<&Expression>, name: &str, arguments: &[Expression]) -> Result<Op, Unsupported> {
    let of = of.map_or(Ok(Box::new(Op::This)), boxed)?;
    if let ("is" | "as" | "ofType", [argument]) = (name, arguments) {
        // The argument is the name of a type, which reads like a path.
        let (Kind::Member { name: type_name, .. }, test) =
            (&argument.kind, if name == "is" { TypeTest::Is } else { TypeTest::Keep })
        else {
            return Err(Unsupported::Function(format!("{name}()")));
        };
        return Ok(Op::Type { of, test, name: type_name.as_str().into() });
    }
    let function = Function::named(name).filter(|function| function.arity().allows(arguments.len()));
    let Some(function) = function else { return Err(Unsupported::Function(format!("{name}()"))) };
    // What is traced is for people: it is not evaluated.
    let arguments = if function.arity() == Arity::Ignored { &[] } else { arguments };
    let arguments = arguments.iter().map(op).collect::<Result<_, _>>()?;
    Ok(Op::Call { of, function, arguments })
}
