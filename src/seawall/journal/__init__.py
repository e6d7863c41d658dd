"""The audit journal: hash-chained rows in one SQLite file, written before anything is done."""
