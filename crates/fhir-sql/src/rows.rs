//! From a batch of resources to the view's rows.
//!
//! The one invariant: rows keep the order of their resources, and within a resource that of the view: nested selects vary fastest,
//! branches of a union follow each other. A column that nobody asked for is not made, but the rows it would have are.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, StructArray, UInt32Array};
use arrow_schema::{ArrowError, SchemaRef};
use arrow_select::concat::concat;
use arrow_select::take::take;
use datafusion::error::{DataFusionError, Result};

use crate::error::EvaluationError;
use crate::eval::{Collection, Focus, Nodes, booleans, evaluate, number, numbers, positions};
use crate::view::{Iterate, Part, Select, View};

/// The rows that fewer resources at a time would give.
pub(crate) const MANY_ROWS: usize = 1 << 20;

/// The rows that one resource may have.
const MOST_ROWS: usize = 1 << 24;

/// Nested selects multiply: there are more than [`MANY_ROWS`], and fewer resources at a time have fewer.
#[derive(Debug, thiserror::Error)]
#[error("these resources have too many rows to be made at once")]
pub(crate) struct TooManyRows;

/// What is asked of all selects of a view.
struct Asked<'w> {
    /// The view's columns that are made, by their positions.
    wanted: &'w [usize],
    /// Whether there is one resource alone.
    is_one: bool,
}

impl Asked<'_> {
    /// Whether so many rows can be made.
    fn check(&self, rows: usize) -> Result<()> {
        if self.is_one && rows > MOST_ROWS {
            return Err(DataFusionError::External(Box::new(EvaluationError {
                location: "select".to_owned(),
                reason: format!(
                    "a resource has more than {MOST_ROWS} rows: selects beside each other multiply theirs"
                ),
                excerpt: String::new(),
            })));
        }
        if !self.is_one && rows > MANY_ROWS {
            return Err(DataFusionError::External(Box::new(TooManyRows)));
        }
        Ok(())
    }
}

/// The rows of some selects: the context that each belongs to, and the columns that were made.
struct Rows {
    owner: Vec<u32>,
    /// The position of each among the view's columns, and its values.
    columns: Vec<(usize, ArrayRef)>,
}

impl View {
    /// The rows of a batch, with those of the view's columns that are at `wanted`.
    ///
    /// # Errors
    /// [`EvaluationError`] for what expressions do not allow in the data, and [`TooManyRows`].
    pub(crate) fn rows(
        &self,
        batch: &RecordBatch,
        wanted: &[usize],
        schema: &SchemaRef,
    ) -> Result<RecordBatch> {
        let resources = StructArray::from(batch.clone());
        let rest: Vec<&str> = match batch.column_by_name("__rest") {
            Some(column) if column.null_count() < column.len() => texts(column)?,
            _ => Vec::new(),
        };
        let at = numbers(batch.num_rows()).into_iter().map(|row| (0, row)).collect();
        let nodes = Nodes { sources: vec![&resources], at, json: rest };
        let mut focus = Focus::root(&nodes);
        for filter in &self.filters {
            let holds = run(filter, &focus).and_then(|holds| {
                let span = filter.expression.span;
                booleans(&holds, focus.len, span).map_err(|fault| failed(filter, &fault))
            })?;
            let kept: Vec<u32> = (0..focus.len).filter(|at| holds[*at] == Some(true)).map(number).collect();
            if kept.len() < focus.len {
                focus = focus.only(&kept);
            }
        }
        let rows = rows(&self.select, &focus, &Asked { wanted, is_one: batch.num_rows() == 1 })?;
        let column = |at: &usize| {
            let column = rows.columns.iter().find(|(of, _)| of == at).map(|(_, column)| Arc::clone(column));
            column.ok_or_else(|| DataFusionError::Internal("a column of the view was not made".to_owned()))
        };
        let columns = wanted.iter().map(column).collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows.owner.len()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
    }
}

fn texts(column: &ArrayRef) -> Result<Vec<&str>> {
    use arrow_array::cast::AsArray;
    if let Some(texts) = column.as_string_opt::<i32>() {
        return Ok(texts.iter().map(Option::unwrap_or_default).collect());
    }
    if let Some(texts) = column.as_string_view_opt() {
        return Ok(texts.iter().map(Option::unwrap_or_default).collect());
    }
    Err(DataFusionError::Execution("the column __rest holds no text".to_owned()))
}

fn failed(part: &Part, fault: &crate::error::Fault) -> DataFusionError {
    DataFusionError::External(Box::new(fault.in_data(&part.location, &part.text)))
}

fn run<'a>(part: &'a Part, focus: &Focus<'a>) -> Result<Collection<'a>> {
    evaluate(&part.expression, focus).map_err(|fault| failed(part, &fault))
}

/// The rows of a select, said of the contexts of a focus.
fn rows<'a>(select: &'a Select, focus: &Focus<'a>, asked: &Asked<'_>) -> Result<Rows> {
    let Some(iterate) = &select.iterate else { return inner_rows(select, focus, asked) };
    let (inner, owner) = match iterate {
        Iterate::Each { part, or_null } => {
            let found = run(part, focus)?;
            each(focus, found, *or_null)
        }
        Iterate::Repeat { first, next } => each(focus, repeated(first, next, focus)?, false),
    };
    let Rows { owner: of, columns } = inner_rows(select, &inner, asked)?;
    Ok(Rows { owner: of.into_iter().map(|context| owner[context as usize]).collect(), columns })
}

/// A context for each value, and where it is wanted one for those that have none.
fn each<'a>(focus: &Focus<'a>, found: Collection<'a>, or_null: bool) -> (Focus<'a>, Vec<u32>) {
    let counts = found.counts(focus.len);
    let (mut owner, mut this) = (Vec::new(), Vec::new());
    for (context, count) in counts.into_iter().enumerate() {
        for _ in 0..count {
            this.push(number(owner.len()));
            owner.push(number(context));
        }
        if count == 0 && or_null {
            owner.push(number(context));
        }
    }
    let index = positions(&owner);
    let rows = owner.iter().map(|context| focus.rows[*context as usize]).collect();
    let this = Collection { owner: this, values: found.values };
    let inner =
        Focus { len: owner.len(), this, rows, row_index: index.clone(), index, resources: focus.resources };
    (inner, owner)
}

/// All values of a `repeat`: a value, what is below it, then the next one.
fn repeated<'a>(first: &'a [Part], next: &'a [Part], focus: &Focus<'a>) -> Result<Collection<'a>> {
    let mut level = together(first, focus)?;
    // The parent of each value, by its position among all; those of the first level have contexts.
    let mut all = level.clone();
    let mut parents: Vec<Option<u32>> = vec![None; level.owner.len()];
    let mut start = 0;
    while !level.owner.is_empty() {
        let inner = focus.each(&level);
        let below = together(next, &inner)?;
        parents.extend(below.owner.iter().map(|parent| Some(start + parent)));
        start += number(level.owner.len());
        let below = below.within(&level.owner);
        all = Collection {
            owner: [all.owner, below.owner.clone()].concat(),
            values: all.values.then(below.values.clone()),
        };
        level = below;
    }
    let order = depth_first(&parents);
    Ok(all.take(&order))
}

fn together<'a>(parts: &'a [Part], focus: &Focus<'a>) -> Result<Collection<'a>> {
    let mut all = Collection::empty();
    for part in parts {
        all = all.and(run(part, focus)?);
    }
    Ok(all)
}

/// Positions in the order in which a value precedes what is below it.
fn depth_first(parents: &[Option<u32>]) -> Vec<u32> {
    let mut below: Vec<Vec<u32>> = vec![Vec::new(); parents.len()];
    let mut stack = Vec::new();
    for (position, parent) in parents.iter().enumerate() {
        match parent {
            Some(parent) => below[*parent as usize].push(number(position)),
            None => stack.push(number(position)),
        }
    }
    stack.reverse();
    let mut order = Vec::with_capacity(parents.len());
    while let Some(position) = stack.pop() {
        order.push(position);
        stack.extend(below[position as usize].iter().rev());
    }
    order
}

/// The rows of what is in a select, context by context: its columns, each combined with each of the nested rows.
fn inner_rows<'a>(select: &'a Select, focus: &Focus<'a>, asked: &Asked<'_>) -> Result<Rows> {
    let mut columns = Vec::new();
    for column in select.columns.iter().filter(|column| asked.wanted.contains(&column.at)) {
        let values = run(&column.part, focus)?;
        let array = column.output.array(&values, focus.len, &column.part.expression);
        columns.push((column.at, array.map_err(|fault| failed(&column.part, &fault))?));
    }
    let mut combined = Rows { owner: numbers(focus.len), columns };
    for nested in &select.selects {
        combined = product(combined, rows(nested, focus, asked)?, focus.len, asked)?;
    }
    if !select.union.is_empty() {
        let branches =
            select.union.iter().map(|branch| rows(branch, focus, asked)).collect::<Result<Vec<_>>>()?;
        combined = product(combined, union(branches)?, focus.len, asked)?;
    }
    Ok(combined)
}

/// Every row of one with every row of the other that belongs to the same context.
fn product(one: Rows, other: Rows, contexts: usize, asked: &Asked<'_>) -> Result<Rows> {
    if is_each_once(&one.owner, contexts) && is_each_once(&other.owner, contexts) {
        return Ok(Rows { owner: one.owner, columns: [one.columns, other.columns].concat() });
    }
    let (mut x, mut y) = (0, 0);
    let (mut owner, mut from_one, mut from_other) = (Vec::new(), Vec::new(), Vec::new());
    for context in 0..number(contexts) {
        let end =
            |owner: &[u32], from: usize| from + owner[from..].iter().take_while(|of| **of == context).count();
        let (end_x, end_y) = (end(&one.owner, x), end(&other.owner, y));
        asked.check(owner.len() + (end_x - x) * (end_y - y))?;
        for a in x..end_x {
            for b in y..end_y {
                owner.push(context);
                from_one.push(number(a));
                from_other.push(number(b));
            }
        }
        (x, y) = (end_x, end_y);
    }
    let mut columns = taken(one.columns, from_one)?;
    columns.extend(taken(other.columns, from_other)?);
    Ok(Rows { owner, columns })
}

fn is_each_once(owner: &[u32], contexts: usize) -> bool {
    owner.len() == contexts && owner.iter().zip(0..).all(|(owner, context)| *owner == context)
}

fn taken(columns: Vec<(usize, ArrayRef)>, positions: Vec<u32>) -> Result<Vec<(usize, ArrayRef)>, ArrowError> {
    let positions = UInt32Array::from(positions);
    columns.into_iter().map(|(at, column)| Ok((at, take(&column, &positions, None)?))).collect()
}

/// The rows of all branches: context by context, branch by branch.
fn union(branches: Vec<Rows>) -> Result<Rows> {
    let owner: Vec<u32> = branches.iter().flat_map(|branch| branch.owner.iter().copied()).collect();
    let mut order = numbers(owner.len());
    order.sort_by_key(|position| owner[*position as usize]);
    let mut columns = Vec::new();
    for (at, _) in branches.first().map(|branch| branch.columns.as_slice()).unwrap_or_default() {
        let of = branches.iter().filter_map(|branch| branch.columns.iter().find(|(of, _)| of == at));
        let of: Vec<&dyn Array> = of.map(|(_, column)| column.as_ref()).collect();
        columns.push((*at, concat(&of)?));
    }
    let columns = taken(columns, order.clone())?;
    Ok(Rows { owner: order.into_iter().map(|position| owner[position as usize]).collect(), columns })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_below_a_value_comes_before_the_next_one() {
        // 0 has 2 and 3 below it, 2 has 5; 1 has 4.
        let parents = [None, None, Some(0), Some(0), Some(1), Some(2)];
        assert_eq!(depth_first(&parents), [0, 2, 5, 3, 1, 4]);
    }
}
