"""Rules of the examination, one file per subject: each yields the findings of a case."""
