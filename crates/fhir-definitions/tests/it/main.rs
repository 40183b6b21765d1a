//! The generated data against what the specification publishes.

mod constraints;
mod counts;
mod links;
mod shapes;
mod tree;
