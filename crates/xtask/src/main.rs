//! The project's own build tasks.
fn main() {}
