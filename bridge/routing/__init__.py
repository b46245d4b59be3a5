"""Which records people see: those that machines are in doubt about, and some by lot that say how often machines err."""
