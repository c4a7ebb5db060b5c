//! When is a CRL due; judges it; places it atomically.
