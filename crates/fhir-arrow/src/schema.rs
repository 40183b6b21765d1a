//! The columns of a resource type, out of the definitions.
//!
//! The one invariant: the columns are a function of the FHIR version and the type, never of data. Every element
//! has a column of its JSON name, nested as in JSON, in the order of the definition; annotations stand behind
//! their element. These have none, and are kept in [`__rest`](crate::rest):
//!
//! * `modifierExtension`; `extension` and `id`, except those of the resource itself;
//! * recursion beyond the second level: `Questionnaire.item.item` has columns, an `item` in it has not;
//! * of a Reference's `identifier`, all but `system` and `value`;
//! * siblings of primitives, `_birthDate`.
//!
//! Some of them can have columns by configuration ([`TableSchema::with_columns`]).
//!
//! An open choice (`value[x]` of any type: in ElementDefinition, Parameters, Task.input, …) is one column of the
//! element's name without `[x]`. It holds the JSON text of an object with the member that was chosen, such as
//! `{"valueString":"a"}`. A resource within the resource (`contained`, `Bundle.entry.resource`) is JSON text.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef};
use fhir_definitions::{Definitions, Element, Max, TypeKind};

use crate::SchemaError;
use crate::configured::with_column;
use crate::json::Names;
use crate::primitive::Leaf;
use crate::rest;
use crate::shape::{Item, Member, Shape};

/// The columns of a resource type's table.
#[derive(Debug)]
pub struct TableSchema {
    resource_type: String,
    arrow: SchemaRef,
    pub(crate) shape: Shape,
    /// All resource types of the FHIR version: what a Reference may name.
    pub(crate) resource_types: Names,
}

impl TableSchema {
    /// The columns of a resource type: `resourceType` (never null), `id`, `meta`, the other elements in the order
    /// of the definition, and `__rest`.
    ///
    /// # Errors
    /// [`SchemaError::UnknownType`] if the FHIR version has no such resource type.
    pub fn new(definitions: &Definitions, resource_type: &str) -> Result<Self, SchemaError> {
        Self::with_columns(definitions, resource_type, &[])
    }

    /// The same with columns for elements that have none by these rules, each by its path below the resource:
    /// siblings of primitives (`_birthDate`, `name._given`) and extensions (`address.extension`, `modifierExtension`).
    ///
    /// # Errors
    /// [`SchemaError::Unconfigurable`] for any other path, besides those of [`new`](Self::new).
    ///
    /// ```
    /// use fhir_arrow::TableSchema;
    /// use fhir_definitions::Definitions;
    ///
    /// let columns = ["_birthDate".to_owned(), "address.extension".to_owned()];
    /// let schema = TableSchema::with_columns(Definitions::r4(), "Patient", &columns)?;
    /// assert!(schema.arrow().field_with_name("_birthDate").is_ok());
    /// # Ok::<(), fhir_arrow::SchemaError>(())
    /// ```
    pub fn with_columns(
        definitions: &Definitions,
        resource_type: &str,
        configured: &[String],
    ) -> Result<Self, SchemaError> {
        let definition = definitions
            .definition(resource_type)
            .filter(|_| definitions.is_resource(resource_type))
            .ok_or_else(|| SchemaError::UnknownType {
                version: definitions.version().number(),
                name: resource_type.to_owned(),
            })?;
        let mut columns = Columns::new(definitions);
        let mut members = vec![Member::one("resourceType", Item::Leaf(Leaf::Text))];
        members.extend(columns.members(resource_type, &definition.elements, Level::Resource)?);
        let mut shape = Shape::new(members);
        if let Some(extension) = columns.extension_named("extension")? {
            for path in configured {
                shape = with_column(&shape, path, &extension)?;
            }
        }

        let types = definitions.resource_types();
        Ok(Self {
            resource_type: resource_type.to_owned(),
            arrow: arrow_of(&shape),
            shape,
            resource_types: Names::new(types.iter().map(String::as_str).zip(0..)),
        })
    }

    /// The same with some of its columns alone, and `__rest`: a [`Flattener`](crate::Flattener) passes over the values of
    /// the others, which is faster. A row of such columns gives no whole resource back.
    ///
    /// ```
    /// use std::collections::BTreeSet;
    ///
    /// use fhir_arrow::TableSchema;
    /// use fhir_definitions::Definitions;
    ///
    /// let schema = TableSchema::new(Definitions::r4(), "Patient")?.only(&BTreeSet::from(["id", "birthDate"]));
    /// let arrow = schema.arrow();
    /// let names: Vec<_> = arrow.fields().iter().map(|field| field.name().as_str()).collect();
    /// assert_eq!(names, ["id", "birthDate", "__birthDate_start", "__birthDate_end", "__rest"]);
    /// # Ok::<(), fhir_arrow::SchemaError>(())
    /// ```
    #[must_use]
    pub fn only(&self, columns: &BTreeSet<&str>) -> Self {
        let shape = self.shape.only(columns);
        Self {
            resource_type: self.resource_type.clone(),
            arrow: arrow_of(&shape),
            shape,
            resource_types: self.resource_types.clone(),
        }
    }

    /// The resource type, `Patient`.
    #[must_use]
    pub fn resource_type(&self) -> &str {
        &self.resource_type
    }

    /// The columns of the batches that a [`Flattener`](crate::Flattener) makes.
    #[must_use]
    pub fn arrow(&self) -> SchemaRef {
        Arc::clone(&self.arrow)
    }
}

/// The columns of a shape, and `__rest`.
fn arrow_of(shape: &Shape) -> SchemaRef {
    let field = |field: &FieldRef| match field.name().as_str() {
        "resourceType" => Arc::new(Field::new("resourceType", DataType::Utf8, false)),
        _ => Arc::clone(field),
    };
    let rest = Arc::new(Field::new(rest::COLUMN, DataType::Utf8, true));
    let fields: Vec<_> = shape.fields.iter().map(field).chain([rest]).collect();
    Arc::new(Schema::new(fields))
}

/// A choice of so many types is one of any type (50 in R4, 54 in R5), and would have as many columns.
const OPEN_CHOICE: usize = 30;

/// The types of an extension's value that have columns, wherever extensions have.
const EXTENSION_VALUES: [&str; 15] = [
    "string",
    "code",
    "boolean",
    "integer",
    "decimal",
    "date",
    "dateTime",
    "uri",
    "Coding",
    "CodeableConcept",
    "Quantity",
    "Reference",
    "Identifier",
    "Period",
    "Address",
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Resource,
    Inside,
}

/// Makes the members of a type, and what is inside them.
struct Columns<'d> {
    definitions: &'d Definitions,
    /// The paths of the elements that are being made, as content references write them.
    open_elements: Vec<String>,
    /// The data types that are being made.
    open_types: Vec<&'d str>,
    /// Data types that were made outside of all others.
    made: HashMap<&'d str, Arc<Shape>>,
}

impl<'d> Columns<'d> {
    fn new(definitions: &'d Definitions) -> Self {
        Self { definitions, open_elements: Vec::new(), open_types: Vec::new(), made: HashMap::new() }
    }

    fn members(
        &mut self,
        path: &str,
        elements: &'d [Element],
        level: Level,
    ) -> Result<Vec<Member>, SchemaError> {
        let mut members = Vec::with_capacity(elements.len());
        for element in elements {
            match (element.name.as_str(), level) {
                ("modifierExtension", _) | ("id" | "extension", Level::Inside) => {}
                ("extension", Level::Resource) => members.extend(self.extension_named(&element.name)?),
                _ => self.element(&format!("{path}.{}", element.name), element, &mut members)?,
            }
        }
        Ok(members)
    }

    /// Adds the members of an element: one, none where recursion ends, or one for each type of a choice.
    fn element(
        &mut self,
        path: &str,
        element: &'d Element,
        members: &mut Vec<Member>,
    ) -> Result<(), SchemaError> {
        let many = element.max == Max::Many;
        let name = element.name.clone();
        if let Some(target) = &element.content_reference {
            let shape = self.referenced(path, target)?;
            members.extend(shape.map(|shape| Member { many, ..Member::one(name, Item::Object(shape)) }));
        } else if !element.children.is_empty() {
            let shape = self.backbone(path, &element.children)?;
            members.push(Member { many, ..Member::one(name, Item::Object(shape)) });
        } else if element.types.len() >= OPEN_CHOICE {
            let choices = element.json_names().into_iter().map(|(name, _)| name).collect();
            members.push(Member { choices, ..Member::one(name, Item::Leaf(Leaf::Open)) });
        } else {
            for (name, type_ref) in element.json_names() {
                let item = self.item(path, &type_ref.code)?;
                members.extend(item.map(|item| Member { many, ..Member::one(name, item) }));
            }
        }
        Ok(())
    }

    fn backbone(&mut self, path: &str, children: &'d [Element]) -> Result<Arc<Shape>, SchemaError> {
        self.open_elements.push(path.to_owned());
        let members = self.members(path, children, Level::Inside);
        self.open_elements.pop();
        Ok(Arc::new(Shape::new(members?)))
    }

    /// The shape of the element that another one refers to; `None` if it would be the third level of itself.
    fn referenced(&mut self, path: &str, target: &str) -> Result<Option<Arc<Shape>>, SchemaError> {
        if self.open_elements.iter().filter(|open| *open == target).count() >= 2 {
            return Ok(None);
        }
        let element = self.definitions.element(target).ok_or_else(|| undefined(path, target))?;
        self.backbone(target, &element.children).map(Some)
    }

    /// What a value of a type is; `None` for a data type inside of itself.
    fn item(&mut self, path: &str, code: &str) -> Result<Option<Item>, SchemaError> {
        let definition = self.definitions.definition(code).ok_or_else(|| undefined(path, code))?;
        match definition.kind {
            TypeKind::Primitive => Ok(Some(Item::Leaf(Leaf::of_primitive(code)))),
            TypeKind::Resource => Ok(Some(Item::Leaf(Leaf::Resource))),
            TypeKind::DataType if self.open_types.contains(&code) => Ok(None),
            TypeKind::DataType => {
                // What lies in another data type depends on that one, where types are recursive.
                let alone = self.open_types.is_empty();
                if let Some(shape) = self.made.get(code).filter(|_| alone) {
                    return Ok(Some(Item::Object(Arc::clone(shape))));
                }
                self.open_types.push(&definition.name);
                let members = if code == "Reference" {
                    self.reference(&definition.elements)
                } else {
                    self.members(code, &definition.elements, Level::Inside)
                };
                self.open_types.pop();
                let shape = Arc::new(Shape::new(members?));
                if alone {
                    self.made.insert(&definition.name, Arc::clone(&shape));
                }
                Ok(Some(Item::Object(shape)))
            }
        }
    }

    /// The members of a Reference, the same wherever it stands: also in the identifier of another Reference.
    fn reference(&mut self, elements: &'d [Element]) -> Result<Vec<Member>, SchemaError> {
        let text = |name: &str| Member::one(name, Item::Leaf(Leaf::Text));
        let mut members = Vec::new();
        for element in elements {
            let name = element.name.as_str();
            match name {
                "id" | "extension" => {}
                "reference" => members.push(Member::one(name, Item::Leaf(Leaf::ReferenceUrl))),
                "identifier" => {
                    let shape = Shape::new(vec![text("system"), text("value")]);
                    members.push(Member::one(name, Item::Object(Arc::new(shape))));
                }
                _ => self.element(&format!("Reference.{name}"), element, &mut members)?,
            }
        }
        Ok(members)
    }

    /// The member of a resource's extensions, and of the extensions in them.
    fn extension_named(&mut self, name: &str) -> Result<Option<Member>, SchemaError> {
        let Some(definition) = self.definitions.definition("Extension") else { return Ok(None) };
        let mut level: Option<Member> = None;
        for _ in 0..2 {
            let mut members = vec![Member::one("url", Item::Leaf(Leaf::Text))];
            for (name, type_ref) in definition.element("value").map(Element::json_names).unwrap_or_default() {
                if EXTENSION_VALUES.contains(&type_ref.code.as_str()) {
                    let item = self.item("Extension.value", &type_ref.code)?;
                    members.extend(item.map(|item| Member::one(name, item)));
                }
            }
            members.extend(level);
            let shape = Item::Object(Arc::new(Shape::new(members)));
            level = Some(Member { many: true, ..Member::one(name, shape) });
        }
        Ok(level)
    }
}

fn undefined(path: &str, target: &str) -> SchemaError {
    SchemaError::Undefined { path: path.to_owned(), target: target.to_owned() }
}
