"""A room for each kind of subject: a pass gathers what the world says, decides, performs."""
