//! What each function gives.

use std::borrow::Cow;

use super::Undetermined;
use super::collection::{Collection, Item};
use super::compare::{contains, is_distinct};
use super::eval::{Environment, Result, distinct, single_text, truth};
use super::function::Function;
use super::node::{Node, NodeKind};
use super::program::Op;
use crate::parse_range;

use super::super::xhtml;

impl<'a> Environment<'a> {
    /// Calls a function on a collection. `this` is what the arguments refer to that are no criteria.
    pub(super) fn call(
        &self,
        function: Function,
        input: &Collection<'a>,
        arguments: &'a [Op],
        this: &Item<'a>,
    ) -> Result<Collection<'a>> {
        let argument = arguments.first();
        let items = input.as_slice();
        Ok(match function {
            Function::Empty => Collection::boolean(items.is_empty()),
            Function::Exists => Collection::boolean(match argument {
                Some(criterion) => self.any(items, criterion)?,
                None => !items.is_empty(),
            }),
            Function::Not => Collection::of(truth(input)?.map(|value| Item::Boolean(!value))),
            Function::Count => Collection::One(Item::Number(items.len() as f64)),
            Function::First => Collection::of(items.first().cloned()),
            Function::Last => Collection::of(items.last().cloned()),
            Function::Tail => items.iter().skip(1).cloned().collect(),
            Function::Distinct => distinct(items.iter()),
            Function::IsDistinct => Collection::boolean(is_distinct(items)),
            Function::HasValue => Collection::boolean(items.len() == 1 && items[0].scalar().is_some()),
            Function::AllTrue => Collection::boolean(booleans(items)?.all(|value| value)),
            Function::AllFalse => Collection::boolean(booleans(items)?.all(|value| !value)),
            Function::AnyTrue => Collection::boolean(booleans(items)?.any(|value| value)),
            Function::Trace => input.clone(),
            Function::Children => self.all_children(items),
            Function::Descendants => self.descendants(items),
            Function::HtmlChecks => Collection::boolean(items.iter().all(is_narrative)),
            Function::LowBoundary => Collection::of(boundary(items, |(first, _)| first)?),
            Function::HighBoundary => Collection::of(boundary(items, |(_, last)| last)?),
            Function::ToInteger | Function::ToText | Function::Length => convert(function, input)?,
            _ => match argument {
                Some(argument) => self.call_with(function, input, argument, arguments, this)?,
                None => return Err(Undetermined),
            },
        })
    }

    /// Calls a function that has arguments.
    fn call_with(
        &self,
        function: Function,
        input: &Collection<'a>,
        argument: &'a Op,
        arguments: &'a [Op],
        this: &Item<'a>,
    ) -> Result<Collection<'a>> {
        let items = input.as_slice();
        match function {
            Function::Where => {
                let mut kept = Collection::EMPTY;
                for item in items {
                    if self.holds(argument, item)? {
                        kept.push(item.clone());
                    }
                }
                Ok(kept)
            }
            Function::All => {
                for item in items {
                    if !self.holds(argument, item)? {
                        return Ok(Collection::boolean(false));
                    }
                }
                Ok(Collection::boolean(true))
            }
            Function::Select => self.select(items, argument),
            Function::Repeat => self.repeat(items, argument),
            Function::Iif => self.iif(input, argument, arguments, this),
            Function::Combine => Ok(items.iter().chain(self.eval(argument, this)?.iter()).cloned().collect()),
            Function::Union => Ok(distinct(items.iter().chain(self.eval(argument, this)?.iter()))),
            Function::Intersect => {
                let others = self.eval(argument, this)?;
                Ok(distinct(items.iter().filter(|item| contains(others.as_slice(), item))))
            }
            Function::StartsWith => {
                self.compare_text(input, argument, this, |text, part| text.starts_with(part))
            }
            Function::EndsWith => self.compare_text(input, argument, this, |text, part| text.ends_with(part)),
            Function::Contains => self.compare_text(input, argument, this, |text, part| text.contains(part)),
            Function::Substring => self.substring(input, argument, arguments.get(1), this),
            _ => Err(Undetermined),
        }
    }

    fn any(&self, items: &[Item<'a>], criterion: &'a Op) -> Result<bool> {
        for item in items {
            if self.holds(criterion, item)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn select(&self, items: &[Item<'a>], projection: &'a Op) -> Result<Collection<'a>> {
        let mut selected = Collection::EMPTY;
        for item in items {
            self.eval(projection, item)?.iter().for_each(|item| selected.push(item.clone()));
        }
        Ok(selected)
    }

    /// What the projection gives, again and again until it gives nothing more. A resource has no cycles.
    fn repeat(&self, items: &[Item<'a>], projection: &'a Op) -> Result<Collection<'a>> {
        let mut all = Collection::EMPTY;
        let mut level = self.select(items, projection)?;
        while !level.is_empty() {
            level.iter().for_each(|item| all.push(item.clone()));
            level = self.select(level.as_slice(), projection)?;
        }
        Ok(all)
    }

    fn iif(
        &self,
        input: &Collection<'a>,
        criterion: &'a Op,
        arguments: &'a [Op],
        this: &Item<'a>,
    ) -> Result<Collection<'a>> {
        // The criterion may be about the collection as a whole: `iif(empty(), …)`.
        let holds = match (criterion, input.as_slice()) {
            (Op::Call { of, function: Function::Empty, .. }, items) if matches!(**of, Op::This) => {
                items.is_empty()
            }
            (_, [item]) => self.holds(criterion, item)?,
            (_, []) => self.holds(criterion, this)?,
            _ => return Err(Undetermined),
        };
        match arguments.get(if holds { 1 } else { 2 }) {
            Some(chosen) => self.eval(chosen, input.as_slice().first().unwrap_or(this)),
            None => Ok(Collection::EMPTY),
        }
    }

    fn all_children(&self, items: &[Item<'a>]) -> Collection<'a> {
        let mut children = Collection::EMPTY;
        for item in items {
            if let Item::Node(node) = item {
                node.children(self.validator, &mut |child| children.push(Item::Node(child)));
            }
        }
        children
    }

    fn descendants(&self, items: &[Item<'a>]) -> Collection<'a> {
        let mut all = Collection::EMPTY;
        let mut level = self.all_children(items);
        while !level.is_empty() {
            level.iter().for_each(|item| all.push(item.clone()));
            level = self.all_children(level.as_slice());
        }
        all
    }

    fn compare_text(
        &self,
        input: &Collection<'a>,
        argument: &'a Op,
        this: &Item<'a>,
        holds: impl Fn(&str, &str) -> bool,
    ) -> Result<Collection<'a>> {
        let part = self.eval(argument, this)?;
        if input.is_empty() || part.is_empty() {
            return Ok(Collection::EMPTY);
        }
        Ok(Collection::boolean(holds(&single_text(input)?, &single_text(&part)?)))
    }

    fn substring(
        &self,
        input: &Collection<'a>,
        start: &'a Op,
        length: Option<&'a Op>,
        this: &Item<'a>,
    ) -> Result<Collection<'a>> {
        let [item] = input.as_slice() else {
            return if input.is_empty() { Ok(Collection::EMPTY) } else { Err(Undetermined) };
        };
        // The arguments may refer to the text itself: `id.substring(0, $this.length() - 10)`.
        let this = if matches!(item, Item::Node(_)) { item } else { this };
        let Some(start) = self.number(start, this)? else { return Ok(Collection::EMPTY) };
        let length = length.map_or(Ok(None), |length| self.number(length, this))?;
        let text = item.text().ok_or(Undetermined)?;
        if start < 0.0 || start as usize >= text.chars().count() {
            return Ok(Collection::EMPTY);
        }
        let characters = text.chars().skip(start as usize);
        let part = characters.take(length.map_or(usize::MAX, |length| length as usize)).collect();
        Ok(Collection::One(Item::Text(Cow::Owned(part))))
    }
}

fn booleans<'i>(items: &'i [Item<'_>]) -> Result<impl Iterator<Item = bool> + use<'i>> {
    let values: Option<Vec<bool>> = items
        .iter()
        .map(|item| match item.scalar() {
            Some(Item::Boolean(value)) => Some(value),
            _ => None,
        })
        .collect();
    values.map(Vec::into_iter).ok_or(Undetermined)
}

fn is_narrative(item: &Item<'_>) -> bool {
    item.text().is_some_and(|text| xhtml::is_narrative(&text))
}

/// One end of the span of time that a date names.
fn boundary<'a>(items: &[Item<'a>], end: impl Fn((i64, i64)) -> i64) -> Result<Option<Item<'a>>> {
    match items {
        [] => Ok(None),
        [item @ Item::Node(Node { kind: NodeKind::Primitive(..), .. })] => {
            let text = item.text().ok_or(Undetermined)?;
            parse_range(&text).map(|range| Some(Item::Moment(end(range)))).ok_or(Undetermined)
        }
        _ => Err(Undetermined),
    }
}

/// Turns a value into another type; nothing where that cannot be done.
fn convert<'a>(function: Function, input: &Collection<'a>) -> Result<Collection<'a>> {
    let [item] = input.as_slice() else {
        return if input.is_empty() { Ok(Collection::EMPTY) } else { Err(Undetermined) };
    };
    let literal = match item {
        Item::Node(Node { value: Some(value), .. }) => Some(value.raw()),
        _ => None,
    };
    let converted = match (function, item.scalar()) {
        (Function::Length, Some(Item::Text(text))) => Item::Number(text.chars().count() as f64),
        (Function::Length, _) => return Err(Undetermined),
        (Function::ToInteger, Some(Item::Text(text))) => match text.parse::<i32>() {
            Ok(number) => Item::Number(f64::from(number)),
            Err(_) => return Ok(Collection::EMPTY),
        },
        (Function::ToInteger, Some(number @ Item::Number(_))) => number,
        (_, Some(text @ Item::Text(_))) => text,
        (_, Some(Item::Number(_) | Item::Boolean(_))) => match literal {
            Some(literal) => Item::Text(Cow::Borrowed(literal)),
            None => return Err(Undetermined),
        },
        _ => return Ok(Collection::EMPTY),
    };
    Ok(Collection::One(converted))
}
