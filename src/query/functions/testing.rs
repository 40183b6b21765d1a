//! Functions as SQL calls them, for their tests.

use std::sync::Arc;

use datafusion::arrow::util::display::array_value_to_string;
use datafusion::prelude::{SessionConfig, SessionContext};
use fhir_arrow::References;
use fhir_definitions::Definitions;

use super::Known;
use crate::query::value_sets::ValueSets;

/// A session with the functions.
pub(super) fn session(value_sets: ValueSets) -> SessionContext {
    let mut config = SessionConfig::new();
    config.options_mut().sql_parser.enable_ident_normalization = false;
    let context = SessionContext::new_with_config(config);
    let references = References::new(Definitions::r4(), None);
    for function in super::all(Known { references, value_sets: Arc::new(value_sets) }) {
        context.register_udf(function);
    }
    context
}

/// What an expression is, as text; empty for null.
pub(super) async fn asked(expression: &str) -> String {
    asked_in(&session(ValueSets::default()), expression).await
}

/// The same in a session.
pub(super) async fn asked_in(session: &SessionContext, expression: &str) -> String {
    let frame = session.sql(&format!("SELECT {expression} AS answer")).await.unwrap();
    let batches = frame.collect().await.unwrap();
    array_value_to_string(batches[0].column(0), 0).unwrap()
}

/// Why an expression cannot be planned.
pub(super) async fn refused(expression: &str) -> String {
    refused_in(&session(ValueSets::default()), expression).await
}

/// The same in a session.
pub(super) async fn refused_in(session: &SessionContext, expression: &str) -> String {
    session.sql(&format!("SELECT {expression} AS answer")).await.unwrap_err().to_string()
}
