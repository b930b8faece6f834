"""What stands behind scripts/grade, scripts/test and scripts/bench."""
