//! A walk through nested arrays, from the rows of a batch down to the structs inside of them.
//!
//! One invariant: what is below a null is no value, whatever the arrays hold there. Nothing is copied on the way: places in
//! arrays are followed, and values are taken at the end.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{ArrowNativeType, DataType};
use datafusion::common::{exec_datafusion_err, exec_err};
use datafusion::error::Result;

/// Where a walk has come to: values, in the order of the rows that they are of.
#[derive(Debug)]
pub(super) struct Walk {
    /// The values, and where in them those are that were come to.
    pub(super) array: ArrayRef,
    pub(super) at: Vec<u32>,
    /// The structs that they are fields of; none at the beginning.
    pub(super) owner: Option<ArrayRef>,
    pub(super) owner_at: Vec<u32>,
    /// The row of each.
    pub(super) rows: Vec<u32>,
    /// For each list on the way the position of each in it, from 0.
    pub(super) positions: Vec<Vec<u32>>,
}

impl Walk {
    /// Begins at the values of a column, or the elements where they are lists.
    pub(super) fn over(column: &ArrayRef) -> Result<Self> {
        let all: Vec<u32> = (0..column.len()).map(u32::usize_as).collect();
        let mut walk = Self {
            array: Arc::clone(column),
            at: all.clone(),
            owner: None,
            owner_at: Vec::new(),
            rows: all,
            positions: Vec::new(),
        };
        walk.arrive()?;
        Ok(walk)
    }

    /// Goes to a field of the structs, or the elements where it is a list.
    pub(super) fn enter(&mut self, name: &str) -> Result<()> {
        let Some(structs) = self.array.as_struct_opt() else {
            return exec_err!("{} has no fields", self.array.data_type());
        };
        let field = structs.column_by_name(name).cloned();
        let field = field.ok_or_else(|| exec_datafusion_err!("there is no field {name}"))?;
        self.owner = Some(std::mem::replace(&mut self.array, field));
        self.owner_at.clone_from(&self.at);
        self.arrive()
    }

    /// Leaves what is null, and goes to the elements of lists.
    fn arrive(&mut self) -> Result<()> {
        while matches!(self.array.data_type(), DataType::List(_)) {
            self.expand()?;
        }
        if self.array.null_count() > 0 {
            let valid: Vec<usize> =
                (0..self.at.len()).filter(|item| self.array.is_valid(self.at[*item].as_usize())).collect();
            if valid.len() < self.at.len() {
                self.keep(&valid);
            }
        }
        Ok(())
    }

    fn expand(&mut self) -> Result<()> {
        let Some(lists) = self.array.as_list_opt::<i32>() else {
            return exec_err!("{} is no list", self.array.data_type());
        };
        let (mut of, mut at, mut position) = (Vec::new(), Vec::new(), Vec::new());
        for (list, place) in self.at.iter().enumerate() {
            let place = place.as_usize();
            if lists.is_valid(place) {
                let (start, end) = (lists.value_offsets()[place], lists.value_offsets()[place + 1]);
                for (number, element) in (start.as_usize()..end.as_usize()).enumerate() {
                    of.push(list);
                    at.push(u32::usize_as(element));
                    position.push(u32::usize_as(number));
                }
            }
        }
        let values = lists.values().clone();
        self.keep(&of);
        (self.array, self.at) = (values, at);
        self.positions.push(position);
        Ok(())
    }

    /// Keeps some of the items, each as often as it is named.
    pub(super) fn keep(&mut self, kept: &[usize]) {
        let columns = [&mut self.at, &mut self.owner_at, &mut self.rows];
        for column in columns.into_iter().chain(&mut self.positions) {
            if !column.is_empty() {
                *column = kept.iter().map(|item| column[*item]).collect();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{Int32Array, ListArray, StructArray};
    use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
    use datafusion::arrow::datatypes::{Field, Fields};

    use super::*;

    /// Three rows: a list of two structs, a null that has an element all the same, a list of one null.
    fn column() -> ArrayRef {
        let fields = Fields::from(vec![Field::new("n", DataType::Int32, true)]);
        let values = Arc::new(Int32Array::from(vec![1, 2, 3, 4]));
        let structs = StructArray::new(
            fields.clone(),
            vec![values],
            Some(NullBuffer::from(vec![true, true, true, false])),
        );
        Arc::new(ListArray::new(
            Arc::new(Field::new("element", DataType::Struct(fields), true)),
            OffsetBuffer::new(vec![0, 2, 3, 4].into()),
            Arc::new(structs),
            Some(NullBuffer::from(vec![true, false, true])),
        ))
    }

    #[test]
    fn what_is_below_a_null_is_no_value() {
        let walk = Walk::over(&column()).unwrap();
        assert_eq!((walk.at.as_slice(), walk.rows.as_slice()), (&[0, 1][..], &[0, 0][..]));
        assert_eq!(walk.positions, [[0, 1]]);
    }

    #[test]
    fn a_field_is_known_with_what_it_is_in() {
        let mut walk = Walk::over(&column()).unwrap();
        walk.keep(&[1]);
        walk.enter("n").unwrap();
        assert_eq!(
            (walk.at.as_slice(), walk.owner_at.as_slice(), walk.rows.as_slice()),
            (&[1][..], &[1][..], &[0][..])
        );
        assert_eq!(walk.positions, [[1]]);
        assert!(walk.enter("m").is_err());
    }
}
