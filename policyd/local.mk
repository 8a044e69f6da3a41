# policyd/
