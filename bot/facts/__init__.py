"""What looking tells, as plain frozen data: a file for each kind of subject."""
