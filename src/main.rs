//! fhirlake
fn main() {}
