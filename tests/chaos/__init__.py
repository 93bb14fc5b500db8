"""The whole service on three brokers, while every link is broken and every process killed."""
