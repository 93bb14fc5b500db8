"""The whole service on three brokers, with faults on every link and kills of every process."""
