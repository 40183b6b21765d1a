//! Which columns an expression reads.
//!
//! The one invariant: what is not named here is not read: of a choice only the types that are asked for, and `__rest` only where
//! some step reads an element without a column.

use std::collections::BTreeSet;

use crate::expression::{Expression, Function, Step};
use crate::types::{Choice, Site, Type};

/// Columns of a table, each by its path.
#[derive(Debug, Default)]
pub(crate) struct Needs {
    pub(crate) paths: BTreeSet<Vec<String>>,
    /// Whether `__rest` is read.
    pub(crate) rest: bool,
}

impl Needs {
    /// Adds what an expression reads.
    pub(crate) fn add(&mut self, expression: &Expression) {
        match &expression.step {
            Step::This | Step::Resource | Step::Index | Step::RowIndex | Step::Empty | Step::Literal(_) => {}
            Step::Element { from, choices } => {
                self.add(from);
                for choice in choices {
                    self.element(from, choice);
                }
            }
            Step::OfType { from, .. } => self.add(from),
            Step::Filter { from, condition: then } | Step::Select { from, projection: then } => {
                self.add(from);
                self.add(then);
            }
            Step::If { condition, then, otherwise } => {
                self.add(condition);
                self.add(then);
                otherwise.iter().for_each(|otherwise| self.add(otherwise));
            }
            Step::Call { from, function, arguments } => {
                self.add(from);
                arguments.iter().for_each(|argument| self.add(argument));
                match function {
                    Function::ReferenceKey(_) => self.reference_key(from),
                    Function::OfQuantity => self.quantity(from),
                    _ => {}
                }
            }
            Step::Combine { left, right } | Step::Binary { left, right, .. } => {
                self.add(left);
                self.add(right);
            }
        }
    }

    fn element(&mut self, from: &Expression, choice: &Choice) {
        for site in sites(&from.of) {
            let Site::Columns(fields, path) = site else { continue };
            let open = choice.open.as_deref();
            let column = [Some(choice.json.as_str()), open].into_iter().flatten();
            match column.into_iter().find(|name| fields.find(name).is_some()) {
                Some(name) => self.path(path, name),
                None => self.rest = true,
            }
        }
    }

    /// The annotations of a Reference say what it refers to.
    fn reference_key(&mut self, from: &Expression) {
        for site in sites(&from.of) {
            let Site::Columns(fields, path) = site else { continue };
            for name in ["__reference_id", "__reference_type"] {
                if fields.find(name).is_some() {
                    self.path(path, name);
                }
            }
        }
    }

    fn quantity(&mut self, from: &Expression) {
        for site in sites(&from.of) {
            let Site::Columns(fields, path) = site else { continue };
            for name in OF_QUANTITY {
                match fields.find(name) {
                    Some(_) => self.path(path, name),
                    None => self.rest = true,
                }
            }
        }
    }

    fn path(&mut self, within: &[String], name: &str) {
        let mut path = within.to_vec();
        path.push(name.to_owned());
        self.paths.insert(path);
    }
}

/// The elements of a Quantity that say what it is.
pub(crate) const OF_QUANTITY: [&str; 5] = ["value", "comparator", "unit", "system", "code"];

fn sites(of: &Type) -> &[Site] {
    match of {
        Type::Complex(complex) => &complex.sites,
        _ => &[],
    }
}
