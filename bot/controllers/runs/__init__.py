"""Project runs, whoever asked for them: started, looked at, stopped, closed, their logs kept."""
