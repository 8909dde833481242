//! End-to-end tests: the real programs, started as processes.
