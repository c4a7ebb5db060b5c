//! Holds nothing: the judges are in `e2e/`.
