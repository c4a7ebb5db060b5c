//! The memory: diesel over SQLite and PostgreSQL behind one connection enum.
