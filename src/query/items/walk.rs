//! From a batch of resources to the items in it.
//!
//! One invariant: what is below a null is no value, whatever the arrays hold there. Nothing is copied on the way: places in
//! arrays are followed, and the values are taken at the end.

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::datatypes::ArrowNativeType;
use datafusion::common::{exec_datafusion_err, exec_err};
use datafusion::error::Result;

use super::place::Step;

/// The items of a batch at one of the places where they can be, in the order of the rows.
#[derive(Debug)]
pub(super) struct Items {
    /// The structs among which they are, and where.
    pub(super) item: ArrayRef,
    pub(super) at: Vec<u32>,
    /// What each lies in; none where that is the resource.
    pub(super) owner: Option<ArrayRef>,
    pub(super) owner_at: Vec<u32>,
    /// The row of each.
    pub(super) rows: Vec<u32>,
    /// For each list on the way the position of each in it, from 0.
    pub(super) positions: Vec<Vec<u32>>,
}

impl Items {
    /// Looks for the items at the end of these steps.
    pub(super) fn find(batch: &RecordBatch, steps: &[Step]) -> Result<Self> {
        let Some((first, others)) = steps.split_first() else {
            return exec_err!("a resource is no item of itself");
        };
        let column = batch.column_by_name(&first.name).ok_or_else(|| missing(&first.name))?;
        let all: Vec<u32> = (0..batch.num_rows()).map(u32::usize_as).collect();
        let mut items = Self {
            item: column.clone(),
            at: all.clone(),
            owner: None,
            owner_at: Vec::new(),
            rows: all,
            positions: Vec::new(),
        };
        items.arrive(first.many)?;
        for step in others {
            items.enter(&step.name)?;
            items.arrive(step.many)?;
        }
        Ok(items)
    }

    /// Goes to a field of the structs.
    fn enter(&mut self, name: &str) -> Result<()> {
        let Some(structs) = self.item.as_struct_opt() else {
            return exec_err!("{} has no fields", self.item.data_type());
        };
        let field = structs.column_by_name(name).ok_or_else(|| missing(name))?.clone();
        self.owner = Some(std::mem::replace(&mut self.item, field));
        self.owner_at.clone_from(&self.at);
        Ok(())
    }

    /// Leaves what is null, and goes to the elements of lists.
    fn arrive(&mut self, many: bool) -> Result<()> {
        if many {
            self.expand()?;
        }
        if self.item.null_count() > 0 {
            let valid: Vec<usize> =
                (0..self.at.len()).filter(|item| self.item.is_valid(self.at[*item].as_usize())).collect();
            if valid.len() < self.at.len() {
                self.keep(&valid);
            }
        }
        Ok(())
    }

    fn expand(&mut self) -> Result<()> {
        let Some(lists) = self.item.as_list_opt::<i32>() else {
            return exec_err!("{} is no list", self.item.data_type());
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
        (self.item, self.at) = (values, at);
        self.positions.push(position);
        Ok(())
    }

    /// Keeps some of the items, each as often as it is named.
    fn keep(&mut self, kept: &[usize]) {
        let columns = [&mut self.at, &mut self.owner_at, &mut self.rows];
        for column in columns.into_iter().chain(&mut self.positions) {
            if !column.is_empty() {
                *column = kept.iter().map(|item| column[*item]).collect();
            }
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.at.len()
    }
}

fn missing(name: &str) -> datafusion::error::DataFusionError {
    exec_datafusion_err!("the scan has brought no {name}")
}
