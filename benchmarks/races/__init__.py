"""One module for each race, all of one form: `race(course)` runs it and returns its table and what belongs to it."""
