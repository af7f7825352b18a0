"""What a pull request needs next: its checks, its quality gates, and what people may ask for."""
