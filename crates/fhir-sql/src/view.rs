//! A ViewDefinition, checked and compiled.
//!
//! The one invariant: a [`View`] has columns of known names and types; each of its expressions has been compiled for the place
//! where it stands, and which columns of the table they read is known.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow_schema::{Schema, SchemaRef};
use fhir_definitions::Definitions;

use crate::compile::{Compiler, Scope, boolean, constant};
use crate::definition::{self, ViewDefinition, is_sql_name};
use crate::error::{Fault, ViewError};
use crate::expression::Expression;
use crate::needs::Needs;
use crate::output::Output;
use crate::types::{Site, Type};

/// The column of what has no column.
const REST: &str = "__rest";

/// A view over the resources of a type.
#[derive(Debug)]
pub struct View {
    resource: String,
    schema: SchemaRef,
    pub(crate) filters: Vec<Part>,
    pub(crate) select: Select,
}

/// An expression of the view, with what errors say of it.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) expression: Expression,
    pub(crate) location: String,
    pub(crate) text: String,
}

/// Columns, and how many rows they have.
#[derive(Debug, Default)]
pub(crate) struct Select {
    pub(crate) iterate: Option<Iterate>,
    pub(crate) columns: Vec<OutputColumn>,
    pub(crate) selects: Vec<Select>,
    pub(crate) union: Vec<Select>,
}

/// A column of the view.
#[derive(Debug)]
pub(crate) struct OutputColumn {
    /// Its position among the view's columns.
    pub(crate) at: usize,
    pub(crate) part: Part,
    pub(crate) output: Output,
}

/// What a select has a row for.
#[derive(Debug)]
pub(crate) enum Iterate {
    Each {
        part: Part,
        or_null: bool,
    },
    /// The values of `first`, and then again and again the values of `next` on those.
    Repeat {
        first: Vec<Part>,
        next: Vec<Part>,
    },
}

/// A column's name and what it holds.
#[derive(Debug, Clone)]
struct Named {
    name: String,
    output: Output,
    /// Where it is written.
    location: String,
}

impl PartialEq for Named {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, &self.output) == (&other.name, &other.output)
    }
}

impl View {
    /// Compiles a ViewDefinition for a FHIR version. `columns` are those of the type's table.
    ///
    /// # Errors
    /// Whatever is wrong with it, with the part that it is in.
    pub fn compile(
        definition: &ViewDefinition,
        definitions: &'static Definitions,
        columns: &Schema,
    ) -> Result<Self, ViewError> {
        let part = |location: &str, reason: String| ViewError::Part { location: location.to_owned(), reason };
        let resource = definition.resource.as_str();
        let mut compiler = Compiler::new(definitions, resource, columns.fields()).ok_or_else(|| {
            part("resource", format!("{resource:?} is no resource type of FHIR {}", definitions.version()))
        })?;
        let version = definitions.version().number();
        let versions = definition.fhir_version.as_slice();
        if !versions.is_empty() && !versions.iter().any(|named| is_of(named, definitions)) {
            let reason =
                format!("the view is for FHIR {}, and the resources are of {version}", versions.join(", "));
            return Err(part("fhirVersion", reason));
        }
        if let Some(name) = definition.name.as_deref().filter(|name| !is_sql_name(name)) {
            return Err(part("name", bad_name(name)));
        }
        for (at, written) in definition.constant.iter().enumerate() {
            let location = format!("constant[{at}]");
            if !is_sql_name(&written.name) {
                return Err(part(&location, bad_name(&written.name)));
            }
            let value = constant(written.members.iter()).map_err(|reason| part(&location, reason))?;
            if compiler.constants.insert(written.name.clone(), value).is_some() {
                return Err(part(&location, format!("there are two constants of the name {}", written.name)));
            }
        }
        let root = compiler.root();
        let mut filters = Vec::new();
        for (at, filter) in definition.filters.iter().enumerate() {
            let compiled = compile(&compiler, &filter.path, format!("where[{at}].path"), &root)?;
            boolean(&compiled.expression)
                .map_err(|fault| fault.in_view(&compiled.location, &compiled.text))?;
            filters.push(compiled);
        }
        if definition.select.is_empty() {
            return Err(part("select", "a view has at least one select".to_owned()));
        }
        let mut builder = Builder { compiler: &compiler, next: 0 };
        let (selects, named) = builder.selects(&definition.select, "select", &root)?;
        check_names(&named)?;
        let fields: Vec<_> = named.iter().map(|column| column.output.field(&column.name)).collect();
        let select = Select { selects, ..Select::default() };
        let resource = definition.resource.clone();
        Ok(Self { resource, schema: Arc::new(Schema::new(fields)), filters, select })
    }

    /// The resource type that it reads.
    #[must_use]
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// Its columns.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// The names of the table's columns that it reads, where those of its own columns are wanted that are at these positions.
    #[must_use]
    pub fn columns(&self, wanted: &[usize]) -> BTreeSet<String> {
        let needs = self.needs(wanted);
        let rest = needs.rest.then(|| REST.to_owned());
        needs.paths.into_iter().filter_map(|path| path.into_iter().next()).chain(rest).collect()
    }

    /// The paths of those columns, as far down as the view reads them.
    #[must_use]
    pub fn paths(&self, wanted: &[usize]) -> BTreeSet<Vec<String>> {
        let needs = self.needs(wanted);
        needs.paths.into_iter().chain(needs.rest.then(|| vec![REST.to_owned()])).collect()
    }

    fn needs(&self, wanted: &[usize]) -> Needs {
        let mut needs = Needs::default();
        self.filters.iter().for_each(|filter| needs.add(&filter.expression));
        add_select(&self.select, wanted, &mut needs);
        needs
    }
}

/// What says how many rows there are is read in any case.
fn add_select(select: &Select, wanted: &[usize], needs: &mut Needs) {
    let parts = match &select.iterate {
        None => Vec::new(),
        Some(Iterate::Each { part, .. }) => vec![part],
        Some(Iterate::Repeat { first, next }) => first.iter().chain(next).collect(),
    };
    let columns =
        select.columns.iter().filter(|column| wanted.contains(&column.at)).map(|column| &column.part);
    parts.into_iter().chain(columns).for_each(|part| needs.add(&part.expression));
    select.selects.iter().chain(&select.union).for_each(|select| add_select(select, wanted, needs));
}

fn is_of(named: &str, definitions: &Definitions) -> bool {
    fhir_definitions::FhirVersion::from_fhir_version(named) == Some(definitions.version())
}

fn bad_name(name: &str) -> String {
    format!("{name:?} is no name for SQL: letters, digits and _, a letter first")
}

fn check_names(named: &[Named]) -> Result<(), ViewError> {
    let mut names = HashMap::new();
    if named.is_empty() {
        return Err(ViewError::Part {
            location: "select".to_owned(),
            reason: "the view has no column".to_owned(),
        });
    }
    for column in named {
        if let Some(first) = names.insert(column.name.to_ascii_lowercase(), &column.location) {
            let reason = format!("there are two columns of the name {}: {first} has it too", column.name);
            return Err(ViewError::Part { location: column.location.clone(), reason });
        }
    }
    Ok(())
}

fn compile(compiler: &Compiler, text: &str, location: String, scope: &Scope) -> Result<Part, ViewError> {
    match compiler.expression(text, scope) {
        Ok(expression) => Ok(Part { expression, location, text: text.to_owned() }),
        Err(fault) => Err(fault.in_view(&location, text)),
    }
}

/// Compiles selects, counting their columns.
struct Builder<'c> {
    compiler: &'c Compiler,
    next: usize,
}

impl Builder<'_> {
    fn selects(
        &mut self,
        written: &[definition::Select],
        location: &str,
        scope: &Scope,
    ) -> Result<(Vec<Select>, Vec<Named>), ViewError> {
        let (mut selects, mut named) = (Vec::new(), Vec::new());
        for (at, written) in written.iter().enumerate() {
            let (select, columns) = self.select(written, &format!("{location}[{at}]"), scope)?;
            selects.push(select);
            named.extend(columns);
        }
        Ok((selects, named))
    }

    fn select(
        &mut self,
        written: &definition::Select,
        location: &str,
        scope: &Scope,
    ) -> Result<(Select, Vec<Named>), ViewError> {
        let (iterate, scope) = self.iterate(written, location, scope)?;
        let (mut columns, mut named) = (Vec::new(), Vec::new());
        for (at, column) in written.column.iter().enumerate() {
            let (column, name) = self.column(column, &format!("{location}.column[{at}]"), &scope)?;
            columns.push(column);
            named.push(name);
        }
        let (selects, more) = self.selects(&written.select, &format!("{location}.select"), &scope)?;
        named.extend(more);
        let (union, more) = self.union(&written.union_all, &format!("{location}.unionAll"), &scope)?;
        named.extend(more);
        Ok((Select { iterate, columns, selects, union }, named))
    }

    /// The branches of a union: they fill the same columns.
    fn union(
        &mut self,
        written: &[definition::Select],
        location: &str,
        scope: &Scope,
    ) -> Result<(Vec<Select>, Vec<Named>), ViewError> {
        let mut branches = Vec::new();
        let mut first: Option<Vec<Named>> = None;
        let start = self.next;
        for (at, written) in written.iter().enumerate() {
            self.next = start;
            let location = format!("{location}[{at}]");
            let (branch, named) = self.select(written, &location, scope)?;
            branches.push(branch);
            match &first {
                None => first = Some(named),
                Some(first) if *first == named => {}
                Some(first) => {
                    let reason = format!(
                        "all parts of a unionAll have the same columns in the same order: this one has {}, the first has {}",
                        listed(&named),
                        listed(first)
                    );
                    return Err(ViewError::Part { location, reason });
                }
            }
        }
        Ok((branches, first.unwrap_or_default()))
    }

    fn column(
        &mut self,
        written: &definition::Column,
        location: &str,
        scope: &Scope,
    ) -> Result<(OutputColumn, Named), ViewError> {
        let name_location = format!("{location}.name");
        if !is_sql_name(&written.name) {
            return Err(ViewError::Part { location: name_location, reason: bad_name(&written.name) });
        }
        let part = compile(self.compiler, &written.path, format!("{location}.path"), scope)?;
        let collection = written.collection == Some(true);
        let output = Output::new(&part.expression, written.type_name.as_deref(), collection)
            .map_err(|fault| fault.in_view(&part.location, &part.text))?;
        let at = self.next;
        self.next += 1;
        let named = Named { name: written.name.clone(), output: output.clone(), location: name_location };
        Ok((OutputColumn { at, part, output }, named))
    }

    /// What there is a row for, and what its columns are evaluated on.
    fn iterate(
        &mut self,
        written: &definition::Select,
        location: &str,
        scope: &Scope,
    ) -> Result<(Option<Iterate>, Scope), ViewError> {
        let each = written.for_each.as_ref().map(|path| (path, "forEach"));
        let or_null = written.for_each_or_null.as_ref().map(|path| (path, "forEachOrNull"));
        let given = usize::from(each.is_some()) + usize::from(or_null.is_some());
        if given + usize::from(!written.repeat.is_empty()) > 1 {
            let reason = "a select has one of forEach, forEachOrNull and repeat".to_owned();
            return Err(ViewError::Part { location: location.to_owned(), reason });
        }
        if let Some((path, name)) = each.or(or_null) {
            let part = compile(self.compiler, path, format!("{location}.{name}"), scope)?;
            let this = part.expression.of.clone();
            let or_null = name == "forEachOrNull";
            let scope = Scope { this, is_resource: false, is_item: false };
            return Ok((Some(Iterate::Each { part, or_null }), scope));
        }
        if written.repeat.is_empty() {
            return Ok((None, scope.clone()));
        }
        self.repeat(&written.repeat, &format!("{location}.repeat"), scope)
    }

    /// Each path is compiled for the start, and for what the paths give: again, until that lies nowhere new.
    fn repeat(
        &mut self,
        paths: &[String],
        location: &str,
        scope: &Scope,
    ) -> Result<(Option<Iterate>, Scope), ViewError> {
        let first = self.known(paths, location, scope)?;
        let mut found = Type::Nothing;
        for part in &first {
            join(&mut found, part)?;
        }
        loop {
            let inner = Scope { this: found.clone(), is_resource: false, is_item: false };
            let next = self.known(paths, location, &inner)?;
            let before = sites(&found).len();
            for part in &next {
                if !part.expression.descends() {
                    let reason = "each path of a repeat leads from a value to what is below it, and this one may lead back to it";
                    let fault = Fault::new(part.expression.span, reason);
                    return Err(fault.in_view(&part.location, &part.text));
                }
                join(&mut found, part)?;
            }
            if sites(&found).len() == before {
                let scope = Scope { this: found, is_resource: false, is_item: false };
                return Ok((Some(Iterate::Repeat { first, next }), scope));
            }
        }
    }

    /// The paths that mean something here: `answer.item` does in an item, and not in the resource around it.
    fn known(&self, paths: &[String], location: &str, scope: &Scope) -> Result<Vec<Part>, ViewError> {
        let mut parts = Vec::new();
        for (at, path) in paths.iter().enumerate() {
            if let Err(error) = fhirpath::parse(path) {
                let fault = Fault::new(error.span, error.problem.to_string());
                return Err(fault.in_view(&format!("{location}[{at}]"), path));
            }
            parts.extend(compile(self.compiler, path, format!("{location}[{at}]"), scope).ok());
        }
        Ok(parts)
    }
}

fn sites(of: &Type) -> &[Site] {
    match of {
        Type::Complex(complex) => &complex.sites,
        _ => &[],
    }
}

/// Adds what an expression gives to what others give.
fn join(found: &mut Type, part: &Part) -> Result<(), ViewError> {
    let of = &part.expression.of;
    if !found.is_like(of) || matches!(of, Type::Choice(_)) {
        let reason = format!("the paths of a repeat give values of one type, not a {found} and a {of}");
        return Err(Fault::new(part.expression.span, reason).in_view(&part.location, &part.text));
    }
    match (&mut *found, of) {
        (Type::Complex(found), Type::Complex(of)) => {
            for site in &of.sites {
                if !found.sites.contains(site) {
                    found.sites.push(site.clone());
                }
            }
        }
        (Type::Nothing, _) => *found = of.clone(),
        _ => {}
    }
    Ok(())
}

fn listed(named: &[Named]) -> String {
    let columns: Vec<_> =
        named.iter().map(|column| format!("{} ({})", column.name, column.output.name())).collect();
    columns.join(", ")
}
