//! The only process that can reach the CA key: claims signing jobs, never listens.
