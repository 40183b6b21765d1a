//! The order in which views are planned that select from one another.
//!
//! One invariant: a view is planned when it is named, and what it names before it; views that name each other in a circle are an error
//! and no endless work.

use std::future::Future;

use datafusion::error::{DataFusionError, Result};

tokio::task_local! {
    /// The views whose planning has led here.
    static PLANNING: Vec<String>;
}

/// Plans a view, unless it is being planned already.
pub(super) async fn planned<T>(name: &str, plan: impl Future<Output = Result<T>>) -> Result<T> {
    let mut names = PLANNING.try_with(Clone::clone).unwrap_or_default();
    let is_circle = names.iter().any(|planning| planning == name);
    names.push(name.to_owned());
    if is_circle {
        return Err(DataFusionError::Plan(format!(
            "views select from each other in a circle: {}",
            names.join(" → ")
        )));
    }
    PLANNING.scope(names, plan).await
}
