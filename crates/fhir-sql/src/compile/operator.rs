//! Operators: whether their two sides go together, and what they give.

use std::sync::Arc;

use fhirpath::{Expression as Tree, Operator, Sign, Span};

use super::{Compiler, Scope};
use crate::error::Fault;
use crate::expression::{Expression, Function, Literal, Step};
use crate::quantity::Quantity;
use crate::types::{Kind, Type};

impl Compiler {
    pub(super) fn binary(
        &self,
        operator: Operator,
        left: &Tree,
        right: &Tree,
        scope: &Scope,
        span: Span,
    ) -> Result<Expression, Fault> {
        let left = self.compile(left, scope)?;
        let right = self.compile(right, scope)?;
        if self.is_quantity(&left) || self.is_quantity(&right) {
            return self.quantities(operator, left, right, span);
        }
        let of = operands(operator, &left, &right)?;
        let step = Step::Binary { operator, left: Box::new(left), right: Box::new(right) };
        Ok(Expression { step, of, span })
    }

    fn is_quantity(&self, side: &Expression) -> bool {
        matches!(side.of, Type::Quantity | Type::Complex(_)) && side.of.is(self.definitions, "Quantity")
    }

    /// A comparison of quantities, those of FHIR among them.
    fn quantities(
        &self,
        operator: Operator,
        left: Expression,
        right: Expression,
        span: Span,
    ) -> Result<Expression, Fault> {
        let [left, right] = [left, right].map(|side| {
            let of_fhir = self.is_quantity(&side) && matches!(side.of, Type::Complex(_));
            let span = side.span;
            let of = Type::Quantity;
            if of_fhir { super::function::made(Box::new(side), Function::OfQuantity, of, span) } else { side }
        });
        let compares = matches!(
            operator,
            Operator::Equal
                | Operator::NotEqual
                | Operator::Equivalent
                | Operator::NotEquivalent
                | Operator::Less
                | Operator::LessOrEqual
                | Operator::Greater
                | Operator::GreaterOrEqual
        );
        let dates = [&left, &right].into_iter().any(|side| side.of.kind().is_some_and(Kind::is_date));
        if dates && matches!(operator, Operator::Add | Operator::Subtract) {
            let reason =
                "dates have no arithmetic here: compute with them in the SQL that selects from the view";
            return Err(Fault::new(left.span, reason));
        }
        if !compares {
            let reason = format!(
                "quantities are compared, with = != ~ !~ < <= > >=, and {} is not for them: name the value, and the code",
                operator.as_str()
            );
            return Err(Fault::new(left.span, reason));
        }
        for side in [&left, &right] {
            if let Type::Choice(_) = side.of {
                kind(side)?;
            }
            if !matches!(side.of, Type::Quantity | Type::Nothing) {
                let reason = format!(
                    "a quantity and a {} never compare: write a unit, as in 5 'mg' or 4 days, or name the value",
                    side.of
                );
                return Err(Fault::new(side.span, reason));
            }
        }
        let step = Step::Binary { operator, left: Box::new(left), right: Box::new(right) };
        Ok(Expression { step, of: Type::system(Kind::Boolean), span })
    }

    pub(super) fn indexer(
        &self,
        of: &Tree,
        index: &Tree,
        scope: &Scope,
        span: Span,
    ) -> Result<Expression, Fault> {
        let from = self.compile(of, scope)?;
        let index = self.compile(index, scope)?;
        if !matches!(index.of.kind(), None | Some(Kind::Integer)) || matches!(index.of, Type::Complex(_)) {
            return Err(Fault::new(index.span, format!("a whole number is expected, not a {}", index.of)));
        }
        let of = from.of.clone();
        let step = Step::Call { from: Box::new(from), function: Function::At, arguments: vec![index] };
        Ok(Expression { step, of, span })
    }

    pub(super) fn polarity(
        &self,
        sign: Sign,
        of: &Tree,
        scope: &Scope,
        span: Span,
    ) -> Result<Expression, Fault> {
        let from = self.compile(of, scope)?;
        if let Step::Literal(Literal::Quantity(Quantity { value, unit })) = &from.step {
            let value = match sign {
                Sign::Plus => Some(*value),
                Sign::Minus => value.negate(),
            };
            let value = value.ok_or_else(|| Fault::new(span, "the number has too many digits"))?;
            let step = Step::Literal(Literal::Quantity(Quantity { value, unit: Arc::clone(unit) }));
            return Ok(Expression { step, of: Type::Quantity, span });
        }
        let of = from.of.kind().filter(|kind| kind.is_number());
        let of =
            of.ok_or_else(|| Fault::new(from.span, format!("a number is expected, not a {}", from.of)))?;
        match sign {
            Sign::Plus => Ok(from),
            Sign::Minus => {
                let step =
                    Step::Call { from: Box::new(from), function: Function::Negate, arguments: Vec::new() };
                Ok(Expression { step, of: Type::system(of), span })
            }
        }
    }
}

/// The type of an operator's answer.
fn operands(operator: Operator, left: &Expression, right: &Expression) -> Result<Type, Fault> {
    match operator {
        Operator::And | Operator::Or | Operator::Xor | Operator::Implies => {
            boolean(left)?;
            boolean(right)?;
            Ok(Type::system(Kind::Boolean))
        }
        Operator::Union => union(left, right),
        Operator::Concatenate => {
            for side in [left, right] {
                if kind(side)?.is_some_and(|kind| kind != Kind::String) {
                    return Err(Fault::new(side.span, "a text is expected: write it with toString()"));
                }
            }
            Ok(Type::system(Kind::String))
        }
        Operator::Multiply
        | Operator::Divide
        | Operator::Div
        | Operator::Mod
        | Operator::Add
        | Operator::Subtract => arithmetic(operator, left, right),
        _ => {
            let (a, b) = (kind(left)?, kind(right)?);
            if let (Some(a), Some(b)) = (a, b)
                && !a.compares_with(b)
            {
                let hint = if a.is_date() || b.is_date() {
                    ": write dates with an @, as in @2014-01-25"
                } else {
                    ""
                };
                let reason = format!("a {} and a {} never compare{hint}", left.of, right.of);
                return Err(Fault::new(right.span, reason));
            }
            let ordered = matches!(
                operator,
                Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual
            );
            if ordered && a.or(b) == Some(Kind::Boolean) {
                return Err(Fault::new(left.span, "booleans have no order"));
            }
            Ok(Type::system(Kind::Boolean))
        }
    }
}

/// The kind of a side that has to be a primitive; `None` for nothing.
fn kind(side: &Expression) -> Result<Option<Kind>, Fault> {
    match &side.of {
        Type::Nothing => Ok(None),
        Type::Primitive(_, kind) => Ok(Some(*kind)),
        Type::Quantity => Err(Fault::new(side.span, "a quantity is only compared with quantities")),
        Type::Complex(complex) => {
            let reason =
                format!("a {} has no value of its own: name the element that is meant", complex.name);
            Err(Fault::new(side.span, reason))
        }
        Type::Choice(_) => Err(Fault::new(
            side.span,
            format!("its type may be any of {}: say which with ofType(…)", side.of),
        )),
    }
}

/// What a boolean is expected of. A single value of another type counts as true, where it is there: `exists()` says so.
pub(crate) fn boolean(side: &Expression) -> Result<(), Fault> {
    match &side.of {
        Type::Nothing | Type::Primitive(_, Kind::Boolean) => Ok(()),
        other => {
            Err(Fault::new(side.span, format!("a boolean is expected, not a {other}: is exists() meant?")))
        }
    }
}

fn union(left: &Expression, right: &Expression) -> Result<Type, Fault> {
    for side in [left, right] {
        kind(side)?;
    }
    if !left.of.is_like(&right.of) {
        return Err(Fault::new(right.span, format!("a {} and a {} make no list", left.of, right.of)));
    }
    Ok(if matches!(left.of, Type::Nothing) { right.of.clone() } else { left.of.clone() })
}

fn arithmetic(operator: Operator, left: &Expression, right: &Expression) -> Result<Type, Fault> {
    let (a, b) = (kind(left)?, kind(right)?);
    let texts = |kind: Option<Kind>| kind.is_none_or(|kind| kind == Kind::String);
    if operator == Operator::Add && a.or(b).is_some() && texts(a) && texts(b) {
        return Ok(Type::system(Kind::String));
    }
    for (side, kind) in [(left, a), (right, b)] {
        if kind.is_some_and(|kind| !kind.is_number()) {
            let reason = format!("{} is for numbers, not for a {}", operator.as_str(), side.of);
            return Err(Fault::new(side.span, reason));
        }
    }
    let whole = |kind: Option<Kind>| kind.is_none_or(|kind| kind == Kind::Integer);
    let integer = operator == Operator::Div || operator != Operator::Divide && whole(a) && whole(b);
    Ok(Type::system(if integer { Kind::Integer } else { Kind::Decimal }))
}
