//! The generated data against what the specification publishes.

mod codes;
mod constraints;
mod counts;
mod links;
mod shapes;
mod tree;
