"""The auditor's desk: does the ledger hold, who looked at whom, what is handed out, what must stay."""
