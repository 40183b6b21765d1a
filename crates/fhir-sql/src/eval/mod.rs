//! The vectorised evaluator: an expression over all rows of a batch at once.
//!
//! The one invariant: what an expression gives is a [`Collection`], its values in the order of the contexts that they belong
//! to, with the number of the context beside each. Every step is a pass over such arrays; no step looks at a resource.

pub(crate) mod collection;
pub(crate) mod columns;
mod element;
mod functions;
mod json;
mod operators;
mod quantities;
mod scalars;
mod steps;

use std::borrow::Cow;

use fhirpath::Span;

pub(crate) use collection::{Collection, Nodes, Values};
pub(crate) use steps::evaluate;

use crate::error::Fault;

/// What expressions are evaluated on: contexts, each with one value or none.
pub(crate) struct Focus<'a> {
    /// The number of contexts.
    pub(crate) len: usize,
    /// `$this`: of each context one value at most.
    pub(crate) this: Collection<'a>,
    /// The row of the batch that each context belongs to.
    pub(crate) rows: Vec<u32>,
    /// `%rowIndex` of each.
    pub(crate) row_index: Vec<i64>,
    /// `$index` of each.
    pub(crate) index: Vec<i64>,
    /// `%resource`, row by row.
    pub(crate) resources: &'a Nodes<'a>,
}

impl<'a> Focus<'a> {
    /// The resources of a batch, each by itself.
    pub(crate) fn root(resources: &'a Nodes<'a>) -> Self {
        let len = resources.len();
        let rows: Vec<u32> = numbers(len);
        let this = Collection { owner: rows.clone(), values: Values::Nodes(resources.clone()) };
        Self { len, this, rows, row_index: vec![0; len], index: vec![0; len], resources }
    }

    /// The contexts at these positions.
    pub(crate) fn only(&self, contexts: &[u32]) -> Self {
        let at = |values: &[i64]| contexts.iter().map(|at| values[*at as usize]).collect();
        let mut new = vec![u32::MAX; self.len];
        for (position, context) in contexts.iter().enumerate() {
            new[*context as usize] = number(position);
        }
        let mut kept = Vec::new();
        let mut owner = Vec::new();
        for (position, context) in self.this.owner.iter().enumerate() {
            if new[*context as usize] != u32::MAX {
                kept.push(number(position));
                owner.push(new[*context as usize]);
            }
        }
        Self {
            len: contexts.len(),
            this: Collection { owner, values: self.this.values.take(&kept) },
            rows: contexts.iter().map(|at| self.rows[*at as usize]).collect(),
            row_index: at(&self.row_index),
            index: at(&self.index),
            resources: self.resources,
        }
    }

    /// Each value of a collection that was evaluated on this, as a context of its own.
    pub(crate) fn each(&self, of: &Collection<'a>) -> Self {
        let index = positions(&of.owner);
        Self {
            len: of.owner.len(),
            this: Collection { owner: numbers(of.owner.len()), values: of.values.clone() },
            rows: of.owner.iter().map(|at| self.rows[*at as usize]).collect(),
            row_index: of.owner.iter().map(|at| self.row_index[*at as usize]).collect(),
            index,
            resources: self.resources,
        }
    }
}

/// The position of each value among those of its context.
pub(crate) fn positions(owner: &[u32]) -> Vec<i64> {
    let (mut last, mut next) = (None, 0);
    let position = |context: &u32| {
        if last != Some(*context) {
            (last, next) = (Some(*context), 0);
        }
        next += 1;
        next - 1
    };
    owner.iter().map(position).collect()
}

/// A position as a number of 32 bits: batches are smaller than that by construction of the engine.
pub(crate) fn number(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

pub(crate) fn numbers(len: usize) -> Vec<u32> {
    (0..number(len)).collect()
}

/// No value, where a position stands for one.
pub(crate) const NONE: u32 = u32::MAX;

/// The position of the one value of each context, or [`NONE`].
pub(crate) fn singles(of: &Collection<'_>, contexts: usize, span: Span) -> Result<Vec<u32>, Fault> {
    let mut single = vec![NONE; contexts];
    for (position, context) in of.owner.iter().enumerate() {
        let place = &mut single[*context as usize];
        if *place != NONE {
            let reason = "there are several values where one is expected: choose with first(), or where(…)";
            return Err(Fault::new(span, reason));
        }
        *place = number(position);
    }
    Ok(single)
}

/// The one boolean of each context. A value of another kind counts as true, as FHIRPath has it for single values.
pub(crate) fn booleans(of: &Collection<'_>, contexts: usize, span: Span) -> Result<Vec<Option<bool>>, Fault> {
    let single = singles(of, contexts, span)?;
    let value = |position: u32| {
        (position != NONE).then(|| match &of.values {
            Values::Booleans(values) => values[position as usize],
            _ => true,
        })
    };
    Ok(single.into_iter().map(value).collect())
}

/// The one text of each context.
pub(crate) fn texts<'c, 'a>(
    of: &'c Collection<'a>,
    contexts: usize,
    span: Span,
) -> Result<Vec<Option<&'c Cow<'a, str>>>, Fault> {
    let single = singles(of, contexts, span)?;
    let value = |position: u32| match &of.values {
        Values::Texts(values) if position != NONE => Some(&values[position as usize]),
        _ => None,
    };
    Ok(single.into_iter().map(value).collect())
}

/// The one whole number of each context.
pub(crate) fn integers(of: &Collection<'_>, contexts: usize, span: Span) -> Result<Vec<Option<i64>>, Fault> {
    let single = singles(of, contexts, span)?;
    let value = |position: u32| match &of.values {
        Values::Integers(values) if position != NONE => Some(values[position as usize]),
        _ => None,
    };
    Ok(single.into_iter().map(value).collect())
}
