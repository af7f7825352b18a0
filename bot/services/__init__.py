"""The neighbours, one file each: verbs in our words, typed in, typed out. No retries: the queue
looks again.
"""
