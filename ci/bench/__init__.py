"""What `ci/bench/day` measures: history, the stream, Silver beside DuckDB, and runs that find nothing to do."""
