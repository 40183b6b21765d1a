//! fhirlake
