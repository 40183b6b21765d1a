//! From FHIRPath's tree to [`Expression`]s that are known to mean something.
//!
//! The one invariant: what cannot mean anything is refused here, at its character: elements that the type has not, choices of
//! types where one is needed, operators between what never compares. What is left over is run over columns without checks.

mod function;
mod literal;
mod operator;
mod path;

pub(crate) use literal::constant;
pub(crate) use operator::boolean;

use std::collections::BTreeMap;

use arrow_schema::Fields;
use fhir_definitions::Definitions;
use fhirpath::{Kind as Syntax, Variable};

use crate::error::Fault;
use crate::expression::{Expression, Literal, Step};
use crate::types::{Complex, Kind, Site, Type};

/// Knows a resource type, its table's columns and the view's constants.
pub(crate) struct Compiler {
    pub(crate) definitions: &'static Definitions,
    pub(crate) resource: String,
    pub(crate) constants: BTreeMap<String, (Literal, Type)>,
    root: Type,
}

/// What an expression is evaluated on.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    /// The type of `$this`.
    pub(crate) this: Type,
    /// Whether `$this` is the resource.
    pub(crate) is_resource: bool,
    /// Whether there is a `$index`.
    pub(crate) is_item: bool,
}

impl Compiler {
    /// A compiler for a resource type whose table has these columns.
    pub(crate) fn new(definitions: &'static Definitions, resource: &str, columns: &Fields) -> Option<Self> {
        let definition = definitions.definition(resource).filter(|_| definitions.is_resource(resource))?;
        let root = Type::Complex(Complex {
            name: resource.to_owned(),
            elements: &definition.elements,
            sites: vec![Site::Columns(columns.clone(), Vec::new())],
        });
        Some(Self { definitions, resource: resource.to_owned(), constants: BTreeMap::new(), root })
    }

    /// The resource itself.
    pub(crate) fn root(&self) -> Scope {
        Scope { this: self.root.clone(), is_resource: true, is_item: false }
    }

    /// Reads and compiles an expression.
    pub(crate) fn expression(&self, text: &str, scope: &Scope) -> Result<Expression, Fault> {
        let tree =
            fhirpath::parse(text).map_err(|error| Fault::new(error.span, error.problem.to_string()))?;
        self.compile(&tree, scope)
    }

    fn compile(&self, tree: &fhirpath::Expression, scope: &Scope) -> Result<Expression, Fault> {
        let span = tree.span;
        let made = |step, of| Ok(Expression { step, of, span });
        match &tree.kind {
            Syntax::Literal(literal) => self.literal(literal, span),
            Syntax::External(name) => self.external(name, scope, span),
            Syntax::Member { of: None, name } if scope.is_resource && *name == self.resource => {
                made(Step::This, scope.this.clone())
            }
            Syntax::Member { of, name } => self.member(of.as_deref(), name, scope, span),
            Syntax::Call { of, name, arguments } => self.call(of.as_deref(), name, arguments, scope, span),
            Syntax::Variable { of: None, variable: Variable::This } => made(Step::This, scope.this.clone()),
            Syntax::Variable { of: None, variable: Variable::Index } if scope.is_item => {
                made(Step::Index, Type::system(Kind::Integer))
            }
            Syntax::Variable { .. } => {
                Err(Fault::new(span, "only $this has a value here, and $index in a function's condition"))
            }
            Syntax::Indexer { of, index } => self.indexer(of, index, scope, span),
            Syntax::Polarity { sign, of } => self.polarity(*sign, of, scope, span),
            Syntax::Binary { operator, left, right } => self.binary(*operator, left, right, scope, span),
            Syntax::Type { operator, of, type_name } => {
                self.type_operator(*operator, of, &type_name.name, scope, span)
            }
        }
    }

    /// What stands before a dot, or `$this`.
    fn before(
        &self,
        of: Option<&fhirpath::Expression>,
        scope: &Scope,
        span: fhirpath::Span,
    ) -> Result<Expression, Fault> {
        match of {
            Some(of) => self.compile(of, scope),
            None => Ok(Expression { step: Step::This, of: scope.this.clone(), span }),
        }
    }

    fn external(&self, name: &str, scope: &Scope, span: fhirpath::Span) -> Result<Expression, Fault> {
        let text = |text: &str| (Step::Literal(Literal::Text(text.to_owned())), Type::system(Kind::String));
        let (step, of) = match name {
            "resource" | "rootResource" => (Step::Resource, self.root.clone()),
            // What the expression is evaluated on; that is also what `$this` is, outside of conditions.
            "context" if !scope.is_item => (Step::This, scope.this.clone()),
            "rowIndex" => (Step::RowIndex, Type::system(Kind::Integer)),
            "ucum" => text("http://unitsofmeasure.org"),
            "sct" => text("http://snomed.info/sct"),
            "loinc" => text("http://loinc.org"),
            _ => match self.constants.get(name) {
                Some((literal, of)) => (Step::Literal(literal.clone()), of.clone()),
                None => {
                    let known: Vec<_> = self.constants.keys().map(|name| format!("%{name}")).collect();
                    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                    return Err(Fault::new(
                        span,
                        format!("there is no constant of that name; the view has {known}"),
                    ));
                }
            },
        };
        Ok(Expression { step, of, span })
    }
}
