//! How a process starts: defaults, fees, regions, profiles, texts, the clock.
