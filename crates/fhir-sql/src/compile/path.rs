//! Steps of a path: elements and where they lie, types of a choice, extensions of primitives.
//!
//! The one invariant: every value with elements knows where it lies: in which columns, or in JSON.

use fhir_definitions::Element;
use fhirpath::{Expression as Tree, Kind as Syntax, Span, TypeOperator};

use super::{Compiler, Scope};
use crate::error::Fault;
use crate::expression::{Expression, Function, Step};
use crate::types::{Choice, Complex, Kind, Site, Type, element_of, fields_of, type_named};

impl Compiler {
    pub(super) fn member(
        &self,
        of: Option<&Tree>,
        name: &str,
        scope: &Scope,
        span: Span,
    ) -> Result<Expression, Fault> {
        let from = self.before(of, scope, span)?;
        self.element(from, name, span)
    }

    /// The element of that name.
    pub(super) fn element(&self, from: Expression, name: &str, span: Span) -> Result<Expression, Fault> {
        let (from, within) = match from.of.clone() {
            Type::Nothing => return Ok(Expression { step: Step::Empty, of: Type::Nothing, span }),
            Type::Primitive(..) if matches!(name, "extension" | "id") => {
                let sibling = self.sibling(from)?;
                return self.element(sibling, name, span);
            }
            Type::Primitive(code, _) => {
                return Err(Fault::new(name_of(span, name), format!("a {code} has no elements")));
            }
            Type::Quantity => {
                let reason = "a quantity that is written out has no elements";
                return Err(Fault::new(name_of(span, name), reason));
            }
            Type::Complex(complex) => (from, complex),
            Type::Choice(choices) => self.only_choice_with(from, &choices, name, span)?,
        };
        let Some(element) = within.elements.iter().find(|element| element.name == name) else {
            return Err(Fault::new(name_of(span, name), no_element(&within, name)));
        };
        let (choices, _) = element_of(self.definitions, &within, element);
        let choices: Vec<_> = choices.into_iter().map(|choice| placed(&within, choice)).collect();
        let of = match choices.as_slice() {
            [only] => only.of.clone(),
            several => Type::Choice(several.to_vec()),
        };
        Ok(Expression { step: Step::Element { from: Box::new(from), choices }, of, span })
    }

    /// Of a choice the one type that has an element of that name.
    fn only_choice_with(
        &self,
        from: Expression,
        choices: &[Choice],
        name: &str,
        span: Span,
    ) -> Result<(Expression, Complex), Fault> {
        let has = |choice: &&Choice| matches!(&choice.of, Type::Complex(of) if of.elements.iter().any(|e| e.name == name));
        let with: Vec<_> = choices.iter().filter(has).map(|choice| choice.code.as_str()).collect();
        let &[only] = with.as_slice() else {
            let place = name_of(span, name);
            let reason = if with.is_empty() {
                format!("none of {} has an element {name}", from.of)
            } else {
                format!("{name} may be that of {}: say which with ofType(…)", with.join(", "))
            };
            return Err(Fault::new(place, reason));
        };
        let chosen = self.of_type(from, only, span)?;
        match chosen.of.clone() {
            Type::Complex(within) => Ok((chosen, within)),
            other => Err(Fault::new(span, format!("a {other} has no elements"))),
        }
    }

    /// `_birthDate` beside `birthDate`: where a primitive has its id and extensions.
    fn sibling(&self, of: Expression) -> Result<Expression, Fault> {
        let span = of.span;
        let refused = || {
            let reason =
                "the extensions of a primitive stand behind its element, as in birthDate.extension(…)";
            Fault::new(span, reason)
        };
        let Step::Element { from, choices } = of.step else { return Err(refused()) };
        let ([choice], Type::Complex(within)) = (choices.as_slice(), &from.of) else { return Err(refused()) };
        let Type::Complex(element) = type_named(self.definitions, "Element") else { return Err(refused()) };
        let json = format!("_{}", choice.json);
        let code = "Element".to_owned();
        let sibling = Choice { json, open: None, code, of: Type::Complex(element) };
        let sibling = placed(within, sibling);
        let of = sibling.of.clone();
        Ok(Expression { step: Step::Element { from, choices: vec![sibling] }, of, span })
    }

    /// The values of one type.
    pub(super) fn of_type(&self, from: Expression, name: &str, span: Span) -> Result<Expression, Fault> {
        let name = name.rsplit('.').next().unwrap_or(name);
        if self.definitions.definition(name).is_none()
            && Kind::of(name).system() != name
            && !from_path(&from, name)
        {
            return Err(Fault::new(
                span,
                format!("{name} is no type of FHIR {}", self.definitions.version()),
            ));
        }
        match from.of.clone() {
            Type::Nothing => Ok(from),
            Type::Choice(choices) => {
                // A value of the very type is meant, where the choice has it: valueString, and not valueCode too.
                let of_name = |is: &dyn Fn(&Choice) -> bool| -> Vec<usize> {
                    (0..choices.len()).filter(|at| is(&choices[*at])).collect()
                };
                let exact = of_name(&|choice| choice.code == name);
                let keep = if exact.is_empty() {
                    of_name(&|choice| choice.of.is(self.definitions, name))
                } else {
                    exact
                };
                match (keep.as_slice(), from.step) {
                    ([], _) => Ok(Expression { step: Step::Empty, of: Type::Nothing, span }),
                    ([only], Step::Element { from, .. }) => {
                        // Of the other types not even the columns are read.
                        let choice = choices[*only].clone();
                        let of = choice.of.clone();
                        Ok(Expression { step: Step::Element { from, choices: vec![choice] }, of, span })
                    }
                    (_, step) => {
                        let of = match keep.as_slice() {
                            [only] => choices[*only].of.clone(),
                            several => Type::Choice(several.iter().map(|at| choices[*at].clone()).collect()),
                        };
                        let from = Box::new(Expression { step, of: from.of, span: from.span });
                        Ok(Expression { step: Step::OfType { from, keep }, of, span })
                    }
                }
            }
            Type::Complex(complex) if complex.name == "Resource" && self.definitions.is_resource(name) => {
                let Type::Complex(of) = type_named(self.definitions, name) else { return Ok(from) };
                let of = Type::Complex(Complex { sites: complex.sites, ..of });
                let function = Function::ResourceOfType(name.to_owned());
                let step = Step::Call { from: Box::new(from), function, arguments: Vec::new() };
                Ok(Expression { step, of, span })
            }
            of if of.is(self.definitions, name) => Ok(from),
            _ => Ok(Expression { step: Step::Empty, of: Type::Nothing, span }),
        }
    }

    pub(super) fn type_operator(
        &self,
        operator: TypeOperator,
        of: &Tree,
        name: &str,
        scope: &Scope,
        span: Span,
    ) -> Result<Expression, Fault> {
        let from = self.compile(of, scope)?;
        self.typed(operator, from, name, span)
    }

    pub(super) fn typed(
        &self,
        operator: TypeOperator,
        from: Expression,
        name: &str,
        span: Span,
    ) -> Result<Expression, Fault> {
        let values = Box::new(from.clone());
        let chosen = self.of_type(from, name, span)?;
        match operator {
            TypeOperator::As => Ok(chosen),
            // Nothing is of no type: the answer is there where a value is.
            TypeOperator::Is => {
                let boolean = Type::system(Kind::Boolean);
                let call = |from: Box<Expression>, function| Expression {
                    step: Step::Call { from, function, arguments: Vec::new() },
                    of: boolean.clone(),
                    span,
                };
                let is = Box::new(call(Box::new(chosen), Function::Exists));
                let step = Step::If {
                    condition: Box::new(call(values, Function::Exists)),
                    then: is,
                    otherwise: None,
                };
                Ok(Expression { step, of: boolean, span })
            }
        }
    }
}

/// The element with the places of its values.
fn placed(within: &Complex, mut choice: Choice) -> Choice {
    let mut sites = Vec::new();
    for site in &within.sites {
        let found = site_of(site, &choice);
        if !sites.contains(&found) {
            sites.push(found);
        }
    }
    if let Type::Complex(complex) = &mut choice.of {
        complex.sites = sites;
    }
    choice
}

fn site_of(site: &Site, choice: &Choice) -> Site {
    let Site::Columns(fields, path) = site else { return Site::Json };
    let Some(fields) = fields.find(&choice.json).and_then(|(_, field)| fields_of(field.data_type())) else {
        return Site::Json;
    };
    let mut path = path.clone();
    path.push(choice.json.clone());
    Site::Columns(fields.clone(), path)
}

/// Whether the name is that of a backbone element on the way.
fn from_path(from: &Expression, name: &str) -> bool {
    matches!(&from.of, Type::Complex(complex) if complex.name == name)
}

/// Where a name stands in the step that ends with it.
fn name_of(span: Span, name: &str) -> Span {
    Span { start: span.end.saturating_sub(name.len()).max(span.start), end: span.end }
}

fn no_element(within: &Complex, name: &str) -> String {
    let of_choice = |element: &&Element| {
        element.choice && name.len() > element.name.len() && name.starts_with(&element.name)
    };
    if let Some(element) = within.elements.iter().find(of_choice)
        && let Some((_, type_ref)) = element.json_names().into_iter().find(|(json, _)| json == name)
    {
        return format!("FHIRPath has no {name}: write {}.ofType({})", element.name, type_ref.code);
    }
    let names: Vec<_> = within.elements.iter().map(|element| element.name.as_str()).collect();
    format!("{} has no element {name}; it has {}", within.name, names.join(", "))
}

/// What the type names in a function's argument: `Patient`, `FHIR.Patient`.
pub(super) fn type_argument(tree: &Tree) -> Result<String, Fault> {
    match &tree.kind {
        Syntax::Member { name, .. } => Ok(name.clone()),
        // The specification's own examples have it in quotes too.
        Syntax::Literal(fhirpath::Literal::String(name)) => Ok(name.clone()),
        _ => Err(Fault::new(tree.span, "the name of a type is expected")),
    }
}
