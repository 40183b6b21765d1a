//! Each kind of step, over all contexts of a focus.
//!
//! The one invariant: a condition or projection is evaluated once over all values of all contexts, each value a context of its
//! own, and what it gives is then said of the contexts around it.

use std::borrow::Cow;

use super::collection::{Collection, Values};
use super::{Focus, booleans, element, functions, number, numbers, operators};
use crate::error::Fault;
use crate::expression::{Expression, Literal, Step};

/// The values of an expression.
pub(crate) fn evaluate<'a>(expression: &'a Expression, focus: &Focus<'a>) -> Result<Collection<'a>, Fault> {
    Ok(match &expression.step {
        Step::This => focus.this.clone(),
        Step::Resource => {
            let values = Values::Nodes(focus.resources.clone()).take(&focus.rows);
            Collection { owner: numbers(focus.len), values }
        }
        Step::Index => Collection::integers(focus.index.iter().copied().map(Some)),
        Step::RowIndex => Collection::integers(focus.row_index.iter().copied().map(Some)),
        Step::Empty => Collection::empty(),
        Step::Literal(literal) => constant(literal, focus.len),
        Step::Element { from, choices } => match from.step {
            // No need for a copy of all places.
            Step::This => element::element(&focus.this, choices),
            _ => element::element(&evaluate(from, focus)?, choices),
        },
        Step::OfType { from, keep } => of_type(&evaluate(from, focus)?, keep),
        Step::Filter { from, condition } => {
            let of = evaluate(from, focus)?;
            let inner = focus.each(&of);
            let holds = booleans(&evaluate(condition, &inner)?, inner.len, condition.span)?;
            of.retain(|position, _| holds[position] == Some(true))
        }
        Step::Select { from, projection } => {
            let of = evaluate(from, focus)?;
            evaluate(projection, &focus.each(&of))?.within(&of.owner)
        }
        Step::If { condition, then, otherwise } => {
            let holds = booleans(&evaluate(condition, focus)?, focus.len, condition.span)?;
            let branch = |chosen: bool, expression: &'a Expression| {
                let of = (0..focus.len).filter(|at| (holds[*at] == Some(true)) == chosen).map(number);
                let contexts: Vec<u32> = of.collect();
                Ok::<_, Fault>(evaluate(expression, &focus.only(&contexts))?.within(&contexts))
            };
            let then = branch(true, then)?;
            match otherwise {
                Some(otherwise) => then.and(branch(false, otherwise)?),
                None => then,
            }
        }
        Step::Call { from, function, arguments } => {
            let of = evaluate(from, focus)?;
            functions::call(function, of, arguments, focus, expression)?
        }
        Step::Combine { left, right } => evaluate(left, focus)?.and(evaluate(right, focus)?),
        Step::Binary { operator, left, right } => {
            operators::binary(*operator, left, right, focus, expression)?
        }
    })
}

/// The same value for each context.
fn constant(literal: &Literal, contexts: usize) -> Collection<'_> {
    let values = match literal {
        Literal::Boolean(value) => Values::Booleans(vec![*value; contexts]),
        Literal::Integer(value) => Values::Integers(vec![*value; contexts]),
        Literal::Quantity(quantity) => Values::Quantities(vec![quantity.clone(); contexts]),
        Literal::Text(text) => Values::Texts(vec![Cow::Borrowed(text.as_str()); contexts]),
    };
    Collection { owner: numbers(contexts), values }
}

/// The values of some of the forms; of one form where it is one.
fn of_type<'a>(of: &Collection<'a>, keep: &[usize]) -> Collection<'a> {
    let Values::Choices { order, of: values } = &of.values else { return of.clone() };
    let kept = of.retain(|position, _| keep.contains(&usize::from(order[position].0)));
    match (kept.values, keep) {
        (Values::Choices { order, .. }, [form]) => {
            let positions: Vec<u32> = order.iter().map(|(_, position)| *position).collect();
            Collection { owner: kept.owner, values: values[*form].take(&positions) }
        }
        (values, _) => Collection { owner: kept.owner, values },
    }
}
