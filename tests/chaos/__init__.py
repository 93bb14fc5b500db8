"""The whole service on three brokers, every link of it broken and every process of it killed."""
