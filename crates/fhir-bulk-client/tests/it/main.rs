//! The client against a scripted server: how it behaves at the edges of HTTP and of the specification.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail like tests")]

mod auth;
mod capability;
mod check;
mod dialects;
mod download;
mod faults;
mod hapi;
mod helios;
mod kickoff;
mod log;
mod manifests;
mod origins;
mod quirks;
mod readme;
mod real;
mod resume;
mod running;
mod server;
mod servers;
mod status;
mod tls;
mod verified;
