"""What the long commands of `ci/` prove about whole runs: crash, incremental, ledger, PII, readers."""
