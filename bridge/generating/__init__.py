"""Models write records: new instructions, candidates, rewritten and varied rows."""
