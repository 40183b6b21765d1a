//! FHIRPath expressions, parsed (<http://hl7.org/fhirpath/N1/>): no evaluation, no model of the data.
//!
//! [`parse`] reads the whole grammar of the normative release (2.0.0) into a tree of [`Expression`]s. What a name or
//! a function means is for those who evaluate the tree: over a resource, over columns.
//!
//! The one invariant: every part of the tree knows its place in the text ([`Span`]), and so does every error.
//!
//! ```
//! use fhirpath::{Kind, Operator, parse};
//!
//! let expression = parse("start.empty() or start <= end")?;
//! assert!(matches!(&expression.kind, Kind::Binary { operator: Operator::Or, .. }));
//! assert_eq!(expression.to_string(), "(start.empty() or (start <= end))");
//!
//! let text = "name.where(use = )";
//! let error = parse(text).unwrap_err();
//! assert_eq!(error.span.start, 17);
//! assert_eq!(error.in_text(text), "name.where(use = )\n                 ^ an expression is expected, not `)`");
//! # Ok::<(), fhirpath::ParseError>(())
//! ```

mod ast;
mod display;
mod error;
mod lexer;
mod literal;
mod parser;
mod token;

pub use ast::{Expression, Kind, Literal, Operator, Sign, Span, TypeName, TypeOperator, Unit, Variable};
pub use error::{ParseError, Problem};
pub use parser::{MAX_DEPTH, parse};
