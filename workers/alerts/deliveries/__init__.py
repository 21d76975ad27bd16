"""Who is told of alerts elsewhere: webhooks, MQTT, e-mail."""
