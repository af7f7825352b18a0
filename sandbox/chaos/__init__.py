"""A storm for the whole bot: its real processes, killed and cut off while people work, and what
must be true after.

Nothing here imports the bot. It is started as an operator starts it, told what
a platform tells it, and judged by what is left at its neighbours.
"""
