"""One file per kind of subject: gather what the world says, decide, perform."""
