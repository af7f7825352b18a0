"""How an MLflow project is run: started, looked at and cancelled, always outside the bot's own
process.
"""
