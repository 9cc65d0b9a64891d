"""What was planted for each group of checks? A file a group, as in crawler/analyse/checks."""
