//! Evaluating an expression on an element.

use std::borrow::Cow;
use std::cmp::Ordering;

use fhirpath::Operator;

use super::super::Validator;
use super::Undetermined;
use super::collection::{Collection, Item};
use super::compare::{contains, equal_collections, order};
use super::node::{Node, NodeKind};
use super::program::{Op, TypeTest};
use crate::json::Name;

pub(super) type Result<T> = std::result::Result<T, Undetermined>;

/// What an expression may refer to.
#[derive(Debug, Clone, Copy)]
pub(in crate::validate) struct Environment<'a> {
    pub(in crate::validate) validator: &'a Validator,
    /// What the constraint is about.
    pub(in crate::validate) context: Node<'a>,
    /// The resource that it is in.
    pub(in crate::validate) resource: Node<'a>,
    /// The resource that this one is contained in, or itself.
    pub(in crate::validate) root_resource: Node<'a>,
}

impl<'a> Environment<'a> {
    pub(super) fn eval(&self, op: &'a Op, this: &Item<'a>) -> Result<Collection<'a>> {
        Ok(match op {
            Op::Empty => Collection::EMPTY,
            Op::Boolean(value) => Collection::boolean(*value),
            Op::Number(value) => Collection::One(Item::Number(*value)),
            Op::Text(text) => Collection::One(Item::Text(Cow::Borrowed(text))),
            Op::This => Collection::One(this.clone()),
            Op::Context => Collection::One(Item::Node(self.context)),
            Op::Resource => Collection::One(Item::Node(self.resource)),
            Op::RootResource => Collection::One(Item::Node(self.root_resource)),
            Op::First(name) if self.is_type_of(this, name) => Collection::One(this.clone()),
            Op::First(name) => self.children(std::slice::from_ref(this), name),
            Op::Member { of, name } => self.children(self.eval(of, this)?.as_slice(), name),
            Op::Call { of, function, arguments } => {
                let input = self.eval(of, this)?;
                self.call(*function, &input, arguments, this)?
            }
            Op::Type { of, test, name } => self.test_type(&self.eval(of, this)?, *test, name)?,
            Op::Index { of, index } => {
                let (items, index) = (self.eval(of, this)?, self.number(index, this)?);
                let at = index.filter(|index| *index >= 0.0).map(|index| index as usize);
                Collection::of(at.and_then(|at| items.as_slice().get(at).cloned()))
            }
            Op::Negative(of) => Collection::of(self.number(of, this)?.map(|number| Item::Number(-number))),
            Op::Binary { operator, left, right } => self.binary(*operator, left, right, this)?,
        })
    }

    /// Whether a path that begins with this name begins with the type of what it is evaluated on.
    fn is_type_of(&self, this: &Item<'a>, name: &Name) -> bool {
        name.as_str().starts_with(|first: char| first.is_ascii_uppercase()) && self.is_of(this, name.as_str())
    }

    fn children(&self, items: &[Item<'a>], name: &Name) -> Collection<'a> {
        let mut children = Collection::EMPTY;
        for item in items {
            let Item::Node(node) = item else { continue };
            if let (NodeKind::Primitive(..), "value") = (node.kind, name.as_str()) {
                item.scalar().into_iter().for_each(|value| children.push(value));
            }
            node.children_named(self.validator, name, &mut |child| children.push(Item::Node(child)));
        }
        children
    }

    fn test_type(&self, items: &Collection<'a>, test: TypeTest, name: &str) -> Result<Collection<'a>> {
        match (test, items.as_slice()) {
            (TypeTest::Keep, items) => {
                Ok(items.iter().filter(|item| self.is_of(item, name)).cloned().collect())
            }
            (TypeTest::Is, []) => Ok(Collection::EMPTY),
            (TypeTest::Is, [item]) => Ok(Collection::boolean(self.is_of(item, name))),
            (TypeTest::Is, _) => Err(Undetermined),
        }
    }

    /// Whether the value is of a type or of one that specialises it. The types of FHIRPath itself, such as `Boolean`,
    /// are those of FHIR's primitives.
    fn is_of(&self, item: &Item<'a>, name: &str) -> bool {
        let own = match item {
            Item::Node(node) => node.type_name(),
            Item::Boolean(_) => "boolean",
            Item::Number(_) => "decimal",
            Item::Text(_) => "string",
            Item::Moment(_) => "dateTime",
        };
        let mut types = self.validator.definitions.with_base_types(own);
        let is_primitive = !matches!(item, Item::Node(Node { kind: NodeKind::Object(_), .. }));
        types.any(|known| known.name == name) || (is_primitive && own.eq_ignore_ascii_case(name))
    }

    fn binary(
        &self,
        operator: Operator,
        left: &'a Op,
        right: &'a Op,
        this: &Item<'a>,
    ) -> Result<Collection<'a>> {
        if let Operator::And | Operator::Or | Operator::Xor | Operator::Implies = operator {
            return Ok(Collection::of(self.logic(operator, left, right, this)?.map(Item::Boolean)));
        }
        let (left, right) = (self.eval(left, this)?, self.eval(right, this)?);
        let boolean = |value: Option<bool>| Collection::of(value.map(Item::Boolean));
        Ok(match operator {
            Operator::Equal => boolean(equal_collections(&left, &right)),
            Operator::NotEqual => boolean(equal_collections(&left, &right).map(|equal| !equal)),
            Operator::Less => boolean(ordered(&left, &right, Ordering::is_lt)?),
            Operator::LessOrEqual => boolean(ordered(&left, &right, Ordering::is_le)?),
            Operator::Greater => boolean(ordered(&left, &right, Ordering::is_gt)?),
            Operator::GreaterOrEqual => boolean(ordered(&left, &right, Ordering::is_ge)?),
            Operator::In => boolean(all_in(&left, &right)),
            Operator::Contains => boolean(all_in(&right, &left)),
            Operator::Union => distinct(left.iter().chain(right.iter())),
            Operator::Concatenate => {
                let text = [single_text(&left)?, single_text(&right)?].concat();
                Collection::One(Item::Text(Cow::Owned(text)))
            }
            Operator::Add | Operator::Subtract | Operator::Multiply => arithmetic(operator, &left, &right)?,
            _ => return Err(Undetermined),
        })
    }

    /// Logic of three values (<http://hl7.org/fhirpath/N1/#boolean-logic>).
    fn logic(
        &self,
        operator: Operator,
        left: &'a Op,
        right: &'a Op,
        this: &Item<'a>,
    ) -> Result<Option<bool>> {
        let left = truth(&self.eval(left, this)?)?;
        match (operator, left) {
            (Operator::And, Some(false)) => return Ok(Some(false)),
            (Operator::Or, Some(true)) | (Operator::Implies, Some(false)) => return Ok(Some(true)),
            _ => {}
        }
        let right = truth(&self.eval(right, this)?)?;
        Ok(match (operator, left, right) {
            (Operator::And, _, Some(false)) => Some(false),
            (Operator::Or | Operator::Implies, _, Some(true)) => Some(true),
            (Operator::Xor, Some(left), Some(right)) => Some(left != right),
            // What the left one leaves open is what the right one says.
            (Operator::And, Some(true), right) | (Operator::Or, Some(false), right) => right,
            (Operator::Implies, Some(true), right) => right,
            _ => None,
        })
    }

    /// The only number that an expression gives; `None` if it gives nothing.
    pub(super) fn number(&self, op: &'a Op, this: &Item<'a>) -> Result<Option<f64>> {
        match self.eval(op, this)?.as_slice() {
            [] => Ok(None),
            [item] => match item.scalar() {
                Some(Item::Number(number)) => Ok(Some(number)),
                _ => Err(Undetermined),
            },
            _ => Err(Undetermined),
        }
    }

    /// Whether an expression holds of a value.
    pub(super) fn holds(&self, op: &'a Op, this: &Item<'a>) -> Result<bool> {
        Ok(truth(&self.eval(op, this)?)? == Some(true))
    }
}

/// What a collection says where a boolean is wanted: a single value of another type is taken for true.
pub(super) fn truth(items: &Collection<'_>) -> Result<Option<bool>> {
    match items.as_slice() {
        [] => Ok(None),
        [item] => Ok(match item.scalar() {
            Some(Item::Boolean(value)) => Some(value),
            _ => Some(true),
        }),
        _ => Err(Undetermined),
    }
}

fn ordered(left: &Collection<'_>, right: &Collection<'_>, is: fn(Ordering) -> bool) -> Result<Option<bool>> {
    match (left.as_slice(), right.as_slice()) {
        ([], _) | (_, []) => Ok(None),
        ([left], [right]) => Ok(order(left, right)?.map(is)),
        _ => Err(Undetermined),
    }
}

/// Whether all values of one collection are in another one; `None` if there are none.
fn all_in(items: &Collection<'_>, others: &Collection<'_>) -> Option<bool> {
    (!items.is_empty()).then(|| items.iter().all(|item| contains(others.as_slice(), item)))
}

/// The values, each once.
pub(super) fn distinct<'i, 'a: 'i>(items: impl Iterator<Item = &'i Item<'a>>) -> Collection<'a> {
    let mut distinct = Collection::EMPTY;
    for item in items {
        if !contains(distinct.as_slice(), item) {
            distinct.push(item.clone());
        }
    }
    distinct
}

/// The only text of a collection; an empty one is an empty text.
pub(super) fn single_text<'a>(items: &Collection<'a>) -> Result<Cow<'a, str>> {
    match items.as_slice() {
        [] => Ok(Cow::Borrowed("")),
        [item] => item.text().ok_or(Undetermined),
        _ => Err(Undetermined),
    }
}

fn arithmetic<'a>(
    operator: Operator,
    left: &Collection<'a>,
    right: &Collection<'a>,
) -> Result<Collection<'a>> {
    let ([left], [right]) = (left.as_slice(), right.as_slice()) else {
        let any_empty = left.is_empty() || right.is_empty();
        return if any_empty { Ok(Collection::EMPTY) } else { Err(Undetermined) };
    };
    let item = match (operator, left.scalar(), right.scalar()) {
        (Operator::Add, Some(Item::Text(left)), Some(Item::Text(right))) => Item::Text(left + right),
        (Operator::Add, Some(Item::Number(left)), Some(Item::Number(right))) => Item::Number(left + right),
        (Operator::Subtract, Some(Item::Number(left)), Some(Item::Number(right))) => {
            Item::Number(left - right)
        }
        (Operator::Multiply, Some(Item::Number(left)), Some(Item::Number(right))) => {
            Item::Number(left * right)
        }
        _ => return Err(Undetermined),
    };
    Ok(Collection::One(item))
}
