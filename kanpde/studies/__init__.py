"""Studies: many runs, described by values, and the tables and pages that they make."""
