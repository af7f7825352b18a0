"""What the repository wants (`config/mlops.yml`) and how the bot is deployed (`config/bot.yml`)."""
