"""The console where cameras are read by workers on Kafka, and not by itself."""
