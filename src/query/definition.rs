//! ViewDefinitions as tables of a session, and over files without one.
//!
//! One invariant: a view is compiled for the columns of the table that it reads, when a statement names it.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::arrow::datatypes::Schema;
use datafusion::catalog::TableProvider;
use datafusion::datasource::empty::EmptyTable;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::prelude::SessionContext;
use delta_scan::DeltaScan;
use fhir_definitions::Definitions;
use fhir_sql::{Narrow, View, ViewDefinition, ViewTable};

use super::ndjson::NdjsonTable;
use super::session::{execute, query_error};
use crate::error::{Error, Result};
use crate::raw::local::LocalFile;

/// Runs a ViewDefinition over NDJSON files, without a lake.
pub async fn run_over_files(
    view: &ViewDefinition,
    definitions: &'static Definitions,
    files: &[LocalFile],
) -> Result<SendableRecordBatchStream> {
    let resources = if definitions.is_resource(&view.resource) {
        Arc::new(NdjsonTable::new(files, definitions, &view.resource)?)
    } else {
        no_resources()
    };
    run(&SessionContext::new(), view, definitions, resources).await
}

/// Runs a ViewDefinition over a table of resources.
pub(super) async fn run(
    context: &SessionContext,
    view: &ViewDefinition,
    definitions: &'static Definitions,
    resources: Arc<dyn TableProvider>,
) -> Result<SendableRecordBatchStream> {
    let name = view.name.as_deref().unwrap_or("definition");
    let table = over(name, view, definitions, resources)?;
    let frame = context.read_table(table).map_err(|e| query_error(&e))?;
    execute(frame).await
}

/// The rows of a view over a table of resources.
///
/// # Errors
/// [`Error::Query`] with what is wrong with the view.
pub(super) fn over(
    name: &str,
    definition: &ViewDefinition,
    definitions: &'static Definitions,
    resources: Arc<dyn TableProvider>,
) -> Result<Arc<dyn TableProvider>> {
    let view = View::compile(definition, definitions, &resources.schema())
        .map_err(|error| Error::Query(format!("the view {name}: {error}")))?;
    let leaves = resources.downcast_ref::<DeltaScan>().map(|scan| Arc::new(Leaves(scan.clone())));
    let table = ViewTable::new(Arc::new(view), resources);
    Ok(Arc::new(match leaves {
        Some(leaves) => table.narrowed_by(leaves),
        None => table,
    }))
}

/// A table of a lake, of whose nested columns a view reads what it uses.
#[derive(Debug)]
struct Leaves(DeltaScan);

impl Narrow for Leaves {
    fn narrowed(&self, leaves: &BTreeSet<Vec<String>>) -> Arc<dyn TableProvider> {
        Arc::new(self.0.with_fields(leaves))
    }
}

/// What stands for the table of a type that there is not: the view says what is wrong with it.
pub(super) fn no_resources() -> Arc<dyn TableProvider> {
    Arc::new(EmptyTable::new(Arc::new(Schema::empty())))
}
