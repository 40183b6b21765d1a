//! The generated data against what the specification publishes.

mod counts;
mod links;
mod shapes;
mod tree;
