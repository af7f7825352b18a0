"""How a workspace and a target branch are reconciled: objects, jobs, drift, and what a merge would
do.
"""
